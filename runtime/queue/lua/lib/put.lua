-- Puts a task into `queued` or `scheduled`. A task that is there already keeps its place; its payload is
-- the new one. Answers whether it was not there.
local function put(state, queue, id, payload, score)
    redis.call('SET', payload_of(id), payload)
    local added = redis.call('ZADD', in_state(state, queue), 'NX', score, id)
    redis.call('SADD', prefix .. ':' .. state, queue)
    return added == 1
end
