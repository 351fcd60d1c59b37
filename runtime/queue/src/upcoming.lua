-- Looks at a part of the queues with scheduled tasks, for those that have something due until a time. Reads only.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  cursor: 0, or what an earlier call answered
--       3  about how many queues to look at
--       4  the time
-- Answers the cursor to go on with (0 at the end), how many workers there are, and a list of queue, when its next
-- task is due.
local cursor, most, soon = ARGV[2], ARGV[3], ARGV[4]
local page = redis.call('SSCAN', prefix .. ':scheduled', cursor, 'COUNT', most)
local upcoming = {}
for _, queue in ipairs(page[2]) do
    -- Most queues have nothing due soon, and a count costs half of what a score does.
    if redis.call('ZCOUNT', in_state('scheduled', queue), '-inf', soon) > 0 then
        upcoming[#upcoming + 1] = queue
        upcoming[#upcoming + 1] = redis.call('ZRANGE', in_state('scheduled', queue), 0, 0, 'WITHSCORES')[2]
    end
end
return { page[1], redis.call('SCARD', prefix .. ':workers'), upcoming }
