-- Puts failed tasks back into their queues, where they still are as they were found. Their executions and
-- the counts of these stay. Each queue is announced once.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2- queue, id, the score it was found with, the score to be queued with, the payload to store where it
--          has changed (a twin that waits or runs keeps its own); any number of times
-- Answers how many tasks were queued.
local retried = 0
local queues, seen = {}, {}
for at = 2, #ARGV, 5 do
    local queue, id, found, now, payload = unpack(ARGV, at, at + 4)
    local score = redis.call('ZSCORE', in_state('error', queue), id)
    if score and tonumber(score) == tonumber(found) then
        redis.call('ZREM', in_state('error', queue), id)
        local waits = redis.call('ZSCORE', in_state('queued', queue), id)
            or redis.call('ZSCORE', in_state('scheduled', queue), id)
            or redis.call('ZSCORE', in_state('active', queue), id)
        if payload ~= '' and not waits then
            redis.call('SET', payload_of(id), payload)
        end
        redis.call('ZADD', in_state('queued', queue), now, id)
        if not seen[queue] then
            seen[queue] = true
            queues[#queues + 1] = queue
        end
        retried = retried + 1
    end
end
for _, queue in ipairs(queues) do
    forget_if_empty('error', queue)
    redis.call('SADD', prefix .. ':queued', queue)
    announce(queue)
end
return retried
