-- Promotes tasks that are due from `scheduled` to `queued`. A task that is queued already keeps its place.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  now
--       3  how many tasks of one queue at most
--       4- queues
-- Answers, for each queue, how many tasks were promoted and when the next is due (nil for never).
local now, most = ARGV[2], ARGV[3]
local answer = {}
for i = 4, #ARGV do
    local queue = ARGV[i]
    local scheduled = in_state('scheduled', queue)
    local due = redis.call('ZRANGEBYSCORE', scheduled, '-inf', now, 'LIMIT', 0, most)
    if #due > 0 then
        redis.call('ZREM', scheduled, unpack(due))
        local members = {}
        for _, id in ipairs(due) do
            members[#members + 1] = now
            members[#members + 1] = id
        end
        redis.call('ZADD', in_state('queued', queue), 'NX', unpack(members))
        redis.call('SADD', prefix .. ':queued', queue)
        announce(queue)
    end
    forget_if_empty('scheduled', queue)
    local next_due = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
    answer[#answer + 1] = #due
    answer[#answer + 1] = next_due[2] or false
end
return answer
