-- Finds what workers left behind that are no longer present. What can be run is not moved here: settling
-- decides, and holds each lease against the score, so that two finders cannot both take a task back.
--
-- A claim whose task is somebody else's by now is forgotten; an active task without a payload is dropped, with its
-- executions. A TaskTiger worker that finds a claim too old puts its task into `error`: that is taken back.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  how many tasks at most
--       3  incarnation of the worker that asks, which is present
-- Answers, for each vanished worker: its incarnation and a list of queue, id, lease, payload, count of
-- executions (nil for 0). A vanished worker that left nothing is forgotten.
local left = tonumber(ARGV[2])

-- Whether the task has failed by itself since it was claimed: then there is a record of it.
local function has_failed(id, lease)
    local last = redis.call('LINDEX', executions_of(id), -1)
    local readable, execution = pcall(cjson.decode, last or '')
    local failed = readable and type(execution) == 'table' and tonumber(execution.time_failed)
    return failed and failed >= tonumber(lease)
end

-- TaskTiger takes a task of whose worker it has not heard to `error`, and leaves no record of a failure.
local function take_back(queue, id, lease)
    local failed = redis.call('ZSCORE', in_state('error', queue), id)
    if not failed or tonumber(failed) < tonumber(lease) or has_failed(id, lease) then
        return false
    end
    redis.call('ZREM', in_state('error', queue), id)
    forget_if_empty('error', queue)
    redis.call('ZADD', in_state('active', queue), lease, id)
    redis.call('SADD', prefix .. ':active', queue)
    return lease
end

local function look_at(worker, claim, lease, found)
    local queue, id = string.match(claim, '^(.*):([^:]*)$')
    local score = redis.call('ZSCORE', in_state('active', queue), id) or take_back(queue, id, lease)
    if not score or tonumber(score) ~= tonumber(lease) then
        redis.call('ZREM', claims_of(worker), claim)
        return
    end
    local payload = redis.call('GET', payload_of(id))
    if not payload then
        redis.call('ZREM', claims_of(worker), claim)
        redis.call('ZREM', in_state('active', queue), id)
        forget_if_empty('active', queue)
        remove(queue, id, true)
        return
    end
    found[#found + 1] = queue
    found[#found + 1] = id
    found[#found + 1] = lease
    found[#found + 1] = payload
    found[#found + 1] = redis.call('GET', executions_count_of(id))
    left = left - 1
end

local answer = {}
for _, worker in ipairs(redis.call('SMEMBERS', prefix .. ':workers')) do
    if left <= 0 then
        break
    end
    if worker ~= ARGV[3] and redis.call('EXISTS', prefix .. ':worker:' .. worker) == 0 then
        local found = {}
        local claims = redis.call('ZRANGE', claims_of(worker), 0, left - 1, 'WITHSCORES')
        for at = 1, #claims, 2 do
            look_at(worker, claims[at], claims[at + 1], found)
        end
        if redis.call('EXISTS', claims_of(worker)) == 0 then
            redis.call('SREM', prefix .. ':workers', worker)
        else
            answer[#answer + 1] = { worker, found }
        end
    end
end
return answer
