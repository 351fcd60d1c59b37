-- Raises counts of executions to the lengths of their lists. A greater count stays: the list may have been
-- trimmed.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2- keys of lists of executions
-- Answers how many counts were raised.
local raised = 0
for at = 2, #ARGV do
    local executions, count = ARGV[at], ARGV[at] .. '_count'
    local length = redis.call('LLEN', executions)
    if (tonumber(redis.call('GET', count) or 0) or 0) < length then
        redis.call('SET', count, length)
        raised = raised + 1
    end
end
return raised
