-- Renews a worker's presence and its leases.
--
-- A lease is the score last written to `active:<queue>`; it holds while that is still the score. A heartbeat
-- whose answer was lost is repeated with the same time: then the new score proves the lease as well.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  incarnation of the worker
--       3  what others may know of it: JSON
--       4  milliseconds for which it counts as present
--       5  now: the new score
--       6  1 if this heartbeat is repeated
--       7- queue, id, lease; any number of times, but each task once
-- Answers the places, counted from 0, of the leases that were lost.
local worker, about, present_ms, now, repeated = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6] == '1'
local presence = prefix .. ':worker:' .. worker
-- A Redis that is out of memory refuses a script that begins with a write that needs some; this one needs
-- none, and lets the others pass. Otherwise nobody could settle, which is what frees memory.
redis.call('PEXPIRE', presence, present_ms)
redis.call('SET', presence, about, 'PX', present_ms)
redis.call('SADD', prefix .. ':workers', worker)

local lost = {}
for at = 7, #ARGV, 3 do
    local queue, id, lease = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local claim = queue .. ':' .. id
    local score = tonumber(redis.call('ZSCORE', in_state('active', queue), id) or 'nan')
    if score == tonumber(lease) or (repeated and score == tonumber(now)) then
        redis.call('ZADD', in_state('active', queue), 'XX', now, id)
        redis.call('ZADD', claims_of(worker), now, claim)
    else
        drop_claim(worker, claim, lease)
        lost[#lost + 1] = (at - 7) / 3
    end
end
return lost
