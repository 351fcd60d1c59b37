-- Finds active tasks that nobody has been heard of for too long, whoever claimed them: TaskTiger's own rule.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  last heard of before this time
--       3  how many at most
-- Answers queue, id, score, payload (nil where it is gone), count of executions (nil for 0); any number of times.
-- An active task without a payload is dropped, with its executions.
local before, left = ARGV[2], tonumber(ARGV[3])
local answer = {}
for _, queue in ipairs(redis.call('SMEMBERS', prefix .. ':active')) do
    if left <= 0 then
        break
    end
    local active = in_state('active', queue)
    local old = redis.call('ZRANGEBYSCORE', active, '-inf', before, 'WITHSCORES', 'LIMIT', 0, left)
    for i = 1, #old, 2 do
        local id = old[i]
        local payload = redis.call('GET', payload_of(id))
        if payload then
            answer[#answer + 1] = queue
            answer[#answer + 1] = id
            answer[#answer + 1] = old[i + 1]
            answer[#answer + 1] = payload
            answer[#answer + 1] = redis.call('GET', executions_count_of(id))
        else
            redis.call('ZREM', active, id)
            remove(queue, id, true)
        end
        left = left - 1
    end
    forget_if_empty('active', queue)
end
return answer
