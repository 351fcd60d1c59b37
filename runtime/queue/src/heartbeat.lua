-- Renews a worker's presence and its leases.
--
-- A lease is the score last written to `active:<queue>`. It holds if the score is still that one, or is the
-- new one already: then this is the second try of a heartbeat whose answer was lost.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  incarnation of the worker
--       3  what others may know of it: JSON
--       4  milliseconds for which it counts as present
--       5  now: the new score
--       6- queue, id, lease; any number of times
-- Answers the places, counted from 0, of the leases that were lost.
local worker, about, present_ms, now = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
redis.call('SET', prefix .. ':worker:' .. worker, about, 'PX', present_ms)
redis.call('SADD', prefix .. ':workers', worker)

local lost = {}
for at = 6, #ARGV, 3 do
    local active, id, lease = in_state('active', ARGV[at]), ARGV[at + 1], tonumber(ARGV[at + 2])
    local score = tonumber(redis.call('ZSCORE', active, id) or 'nan')
    if score == lease or score == tonumber(now) then
        redis.call('ZADD', active, 'XX', now, id)
    else
        redis.call('SREM', claims_of(worker), ARGV[at] .. ':' .. id)
        lost[#lost + 1] = (at - 6) / 3
    end
end
return lost
