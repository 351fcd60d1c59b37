-- Takes the locks of tasks that were claimed. A task that meets a lock leaves `active`: it waits in `scheduled`
-- until a time, and at most until the lock is free.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  incarnation of the worker
--       3  milliseconds for which a lock holds unless it is renewed
--       4  until when to wait
--       5- lock, token, queue, id, lease; any number of times
-- Answers 1 for each task that has its lock, 0 for each that waits, or is not this worker's any more. A call that is
-- repeated with the same tokens finds them in place.
local worker, lock_ms, due = ARGV[2], ARGV[3], ARGV[4]
local answer = {}

local function is_held(queue, id, lease)
    local score = redis.call('ZSCORE', in_state('active', queue), id)
    return score and tonumber(score) == tonumber(lease)
end

local function wait(lock, queue, id)
    local claim = queue .. ':' .. id
    redis.call('ZREM', in_state('active', queue), id)
    redis.call('ZREM', claims_of(worker), claim)
    forget_if_empty('active', queue)
    redis.call('ZADD', in_state('scheduled', queue), 'LT', due, id)
    redis.call('SADD', prefix .. ':scheduled', queue)
    announce_due(queue, due)
    redis.call('ZADD', waiters_of(lock), due, claim)
    -- Whoever waits asks again far sooner; what nobody asks for is not kept.
    redis.call('PEXPIRE', waiters_of(lock), 2 * lock_ms)
end

local waiters = {}
for at = 5, #ARGV, 5 do
    waiters[#waiters + 1] = waiters_of(ARGV[at])
end
-- Mostly nobody waits, so nobody has to be taken from among those who do.
local some_wait = redis.call('EXISTS', unpack(waiters)) > 0

for at = 5, #ARGV, 5 do
    local lock, token, queue, id, lease = unpack(ARGV, at, at + 4)
    if not is_held(queue, id, lease) then
        drop_claim(worker, queue .. ':' .. id, lease)
        answer[#answer + 1] = 0
    elseif redis.call('SET', lock_of(lock), token, 'NX', 'PX', lock_ms) or redis.call('GET', lock_of(lock)) == token then
        if some_wait then
            redis.call('ZREM', waiters_of(lock), queue .. ':' .. id)
        end
        answer[#answer + 1] = 1
    else
        wait(lock, queue, id)
        answer[#answer + 1] = 0
    end
end
return answer
