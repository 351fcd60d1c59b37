-- Renews a worker's presence, its leases, and the locks and seats of its runs.
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
--       7  milliseconds for which locks and seats hold unless they are renewed
--       8  number of leases
--       9  number of locks
--       10- queue, id, lease; so often, but each task once. Then lock, token; so often. Then queue, seat
-- Answers the places, counted from 0, of the leases that were lost, and of the locks that somebody else has.
local worker, about, present_ms, now, repeated = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6] == '1'
local hold_ms, leases, locks = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local presence = prefix .. ':worker:' .. worker
-- A Redis that is out of memory refuses a script that begins with a write that needs some; this one needs
-- none, and lets the others pass. Otherwise nobody could settle, which is what frees memory.
redis.call('PEXPIRE', presence, present_ms)
redis.call('SET', presence, about, 'PX', present_ms)
redis.call('SADD', prefix .. ':workers', worker)

local lost = {}
for place = 0, leases - 1 do
    local at = 10 + 3 * place
    local queue, id, lease = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    local claim = queue .. ':' .. id
    local score = tonumber(redis.call('ZSCORE', in_state('active', queue), id) or 'nan')
    if score == tonumber(lease) or (repeated and score == tonumber(now)) then
        redis.call('ZADD', in_state('active', queue), 'XX', now, id)
        redis.call('ZADD', claims_of(worker), now, claim)
    else
        drop_claim(worker, claim, lease)
        lost[#lost + 1] = place
    end
end

local taken = {}
for place = 0, locks - 1 do
    local at = 10 + 3 * leases + 2 * place
    local lock, token = ARGV[at], ARGV[at + 1]
    -- One that has expired unseen is taken again, where nobody else was quicker.
    local free = redis.call('SET', lock_of(lock), token, 'NX', 'PX', hold_ms)
    if not free and redis.call('GET', lock_of(lock)) == token then
        redis.call('PEXPIRE', lock_of(lock), hold_ms)
    elseif not free then
        taken[#taken + 1] = place
    end
end

for at = 10 + 3 * leases + 2 * locks, #ARGV, 2 do
    redis.call('ZADD', seats_of(ARGV[at]), now + hold_ms / 1000, ARGV[at + 1])
    keep_seats(ARGV[at], 2 * hold_ms)
end
return { lost, taken }
