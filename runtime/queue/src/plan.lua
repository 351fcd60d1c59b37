-- Plans the next run of periodic tasks: schedules each, unless it waits already. One that waits without a payload
-- gets it back.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  1 if a task that runs counts as planned: whoever runs it plans the next run before
--       3- queue, id, payload, due; any number of times
-- Answers 1 for each task that was scheduled, 0 for each that waits already.
local running_counts = ARGV[2] == '1'
local answer = {}
for at = 3, #ARGV, 4 do
    local queue, id, due = ARGV[at], ARGV[at + 1], ARGV[at + 3]
    local waits = redis.call('ZSCORE', in_state('queued', queue), id)
        or redis.call('ZSCORE', in_state('scheduled', queue), id)
        or (running_counts and redis.call('ZSCORE', in_state('active', queue), id))
    if waits then
        -- A twin in another queue may have taken the payload along.
        redis.call('SET', payload_of(id), ARGV[at + 2], 'NX')
    else
        put('scheduled', queue, id, ARGV[at + 2], due)
        announce_due(queue, due)
    end
    answer[#answer + 1] = waits and 0 or 1
end
return answer
