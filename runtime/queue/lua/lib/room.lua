-- How many tasks of a queue count for its limit: what waits and runs, not what has failed.
local function size_of(queue)
    local size = 0
    for _, counted in ipairs({ 'queued', 'active', 'scheduled' }) do
        size = size + redis.call('ZCARD', in_state(counted, queue))
    end
    return size
end

-- How much room one call takes up, task by task. A task that is in its place already needs none, and neither does one
-- that came earlier in the same call.
local room = { seen = {}, taken = {} }

-- Notes these tasks, and answers whether the queue, which may have only `most` (empty for any number), has room for
-- them after what was noted before.
function room.is_enough(state, queue, most, ids)
    local known = redis.call('ZMSCORE', in_state(state, queue), unpack(ids))
    local new = 0
    for i, id in ipairs(ids) do
        local place = state .. ':' .. queue .. ':' .. id
        if not known[i] and not room.seen[place] then
            room.seen[place] = true
            new = new + 1
        end
    end
    local taken = (room.taken[queue] or 0) + new
    room.taken[queue] = taken
    return most == '' or new == 0 or size_of(queue) + taken <= tonumber(most)
end
