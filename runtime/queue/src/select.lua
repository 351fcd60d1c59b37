-- Reads a page of the tasks in one state, queue by queue, each from its lowest score on.
--
-- A walk goes on behind the task it saw last, by score and id and whether that is still there or not: what
-- was deleted or added in the meantime cannot shift it.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  state
--       3  how many tasks at most
--       4- queue, the highest score to read, score and id of the task to go on behind (empty to begin at the
--          front); any number of times
-- Answers, for each queue until the page was full: its highest score (nil where it is empty), and a list of
-- id, score.
local state, left = ARGV[2], tonumber(ARGV[3])

-- As Redis sorts members: byte by byte. Lua's own comparison follows the locale.
local function is_behind(one, other)
    for i = 1, math.min(#one, #other) do
        local a, b = string.byte(one, i), string.byte(other, i)
        if a ~= b then
            return a > b
        end
    end
    return #one > #other
end

-- The rank of the first task behind this one: a search among those that have the same score.
local function rank_behind(key, score, id)
    local low = redis.call('ZCOUNT', key, '-inf', '(' .. score)
    local high = redis.call('ZCOUNT', key, '-inf', score)
    while low < high do
        local middle = math.floor((low + high) / 2)
        if is_behind(redis.call('ZRANGE', key, middle, middle)[1], id) then
            high = middle
        else
            low = middle + 1
        end
    end
    return low
end

local answer = {}
for at = 4, #ARGV, 4 do
    if left <= 0 then
        break
    end
    local queue, highest, score, id = unpack(ARGV, at, at + 3)
    local key = in_state(state, queue)
    local from = score == '' and 0 or rank_behind(key, score, id)
    local to = math.min(from + left, redis.call('ZCOUNT', key, '-inf', highest))
    -- A range up to -1 would be all there is.
    local found = to > from and redis.call('ZRANGE', key, from, to - 1, 'WITHSCORES') or {}
    left = left - #found / 2
    answer[#answer + 1] = { redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or false, found }
end
return answer
