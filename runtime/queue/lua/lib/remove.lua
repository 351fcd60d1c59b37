-- Removes what belongs to a task that has left its last state. A unique task may be in other states of its
-- queue at the same time: then its payload stays, and its executions stay while it is in `error`.
local function remove(queue, id, unique)
    if not unique then
        redis.call('DEL', payload_of(id), executions_of(id), executions_count_of(id))
        return
    end
    local function is_in(state)
        return redis.call('ZSCORE', in_state(state, queue), id)
    end
    local failed = is_in('error')
    if not failed then
        redis.call('DEL', executions_of(id), executions_count_of(id))
    end
    if not (failed or is_in('queued') or is_in('active') or is_in('scheduled')) then
        redis.call('DEL', payload_of(id))
    end
end
