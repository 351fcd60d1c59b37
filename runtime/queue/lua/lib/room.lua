-- How many of these tasks a queue that may have only `most` has no room for: what waits and runs counts, what has
-- failed does not, and neither does a task that is in its place already.
local function without_room(state, queue, most, ids)
    local size = 0
    for _, counted in ipairs({ 'queued', 'active', 'scheduled' }) do
        size = size + redis.call('ZCARD', in_state(counted, queue))
    end
    local known = redis.call('ZMSCORE', in_state(state, queue), unpack(ids))
    local new = 0
    for i = 1, #ids do
        if not known[i] then
            new = new + 1
        end
    end
    return math.max(0, math.min(new, size + new - tonumber(most))), size
end
