-- Finds what workers left behind that are no longer present. Nothing is moved here: settling decides, and
-- holds each lease against the score, so that two finders cannot both take a task back.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  how many tasks at most
-- Answers, for each vanished worker: its incarnation and a list of queue, id, lease, payload (nil where it
-- is gone), count of executions (nil for 0). A vanished worker that left nothing is forgotten.
local left = tonumber(ARGV[2])
local answer = {}
for _, worker in ipairs(redis.call('SMEMBERS', prefix .. ':workers')) do
    if left <= 0 then
        break
    end
    if redis.call('EXISTS', prefix .. ':worker:' .. worker) == 0 then
        local found = {}
        for _, claim in ipairs(redis.call('SRANDMEMBER', claims_of(worker), left)) do
            local queue, id = string.match(claim, '^(.*):([^:]*)$')
            local lease = redis.call('ZSCORE', in_state('active', queue), id)
            if lease then
                found[#found + 1] = queue
                found[#found + 1] = id
                found[#found + 1] = lease
                found[#found + 1] = redis.call('GET', payload_of(id))
                found[#found + 1] = redis.call('GET', executions_count_of(id))
                left = left - 1
            else
                redis.call('SREM', claims_of(worker), claim)
            end
        end
        if redis.call('EXISTS', claims_of(worker)) == 0 then
            redis.call('SREM', prefix .. ':workers', worker)
        else
            answer[#answer + 1] = { worker, found }
        end
    end
end
return answer
