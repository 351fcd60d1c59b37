-- The names of keys. The prefix is always ARGV[1]; KEYS[1] only routes the call to the keyspace's slot.
local prefix = ARGV[1]

local function in_state(state, queue)
    return prefix .. ':' .. state .. ':' .. queue
end

local function payload_of(id)
    return prefix .. ':task:' .. id
end

local function executions_of(id)
    return prefix .. ':task:' .. id .. ':executions'
end

local function executions_count_of(id)
    return prefix .. ':task:' .. id .. ':executions_count'
end

local function claims_of(worker)
    return prefix .. ':worker:' .. worker .. ':claims'
end

-- Takes a queue's name out of a state's set when nothing of it is left there.
local function forget_if_empty(state, queue)
    if redis.call('EXISTS', in_state(state, queue)) == 0 then
        redis.call('SREM', prefix .. ':' .. state, queue)
    end
end

-- Tells workers that a queue has work.
local function announce(queue)
    redis.call('PUBLISH', prefix .. ':activity', queue)
end

-- Tells promoters when something is due.
local function announce_due(queue, due)
    redis.call('PUBLISH', prefix .. ':due', due .. ' ' .. queue)
end
