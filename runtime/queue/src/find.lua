-- Finds the places of a task: a unique one may be in several states, and in several queues.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  id
-- Answers state, queue, score; any number of times.
local id = ARGV[2]
local answer = {}
for _, state in ipairs({ 'queued', 'active', 'scheduled', 'error' }) do
    for _, queue in ipairs(redis.call('SMEMBERS', prefix .. ':' .. state)) do
        local score = redis.call('ZSCORE', in_state(state, queue), id)
        if score then
            answer[#answer + 1] = state
            answer[#answer + 1] = queue
            answer[#answer + 1] = score
        end
    end
end
return answer
