-- Task locks are those of redis-py: a text with an expiry, under TaskTiger's name. Whoever meets one that is held
-- waits in `scheduled`, and is noted here with the time until which it waits.
local function lock_of(lock)
    return prefix .. ':lockv2:' .. lock
end

local function waiters_of(lock)
    return prefix .. ':waiters:' .. lock
end

-- Puts the task that would ask for a lock next at the head of its queue: those that wait ask in turn. One that waits
-- no more, or for something else by now, is passed over.
local function wake_next(lock, now)
    for _ = 1, 100 do
        local first = redis.call('ZPOPMIN', waiters_of(lock))
        if #first == 0 then
            return
        end
        local queue, id = string.match(first[1], '^(.*):([^:]*)$')
        local due = redis.call('ZSCORE', in_state('scheduled', queue), id)
        if due and tonumber(due) == tonumber(first[2]) then
            redis.call('ZREM', in_state('scheduled', queue), id)
            forget_if_empty('scheduled', queue)
            local head = redis.call('ZRANGE', in_state('queued', queue), 0, 0, 'WITHSCORES')[2]
            redis.call('ZADD', in_state('queued', queue), 'NX', head or now, id)
            redis.call('SADD', prefix .. ':queued', queue)
            announce(queue)
            return
        end
    end
end

-- Frees a lock, if this is its holder's token, or what all tokens of its worker share.
local function unlock(lock, token, now)
    local holder = redis.call('GET', lock_of(lock))
    if holder and is_meant(holder, token) then
        redis.call('DEL', lock_of(lock))
        wake_next(lock, now)
    end
end

-- Frees the locks that stand in these arguments, each before its holder's token.
local function unlock_all(first, last, now)
    local names, mine, waiters, freed = {}, {}, {}, {}
    for at = first, last, 2 do
        names[#names + 1] = lock_of(ARGV[at])
    end
    local holders = redis.call('MGET', unpack(names))
    for i, holder in ipairs(holders) do
        local lock, token = ARGV[first + 2 * i - 2], ARGV[first + 2 * i - 1]
        if holder and string.sub(holder, 1, #token) == token and not freed[lock] then
            freed[lock] = true
            mine[#mine + 1] = lock
            names[#mine] = lock_of(lock)
            waiters[#waiters + 1] = waiters_of(lock)
        end
    end
    if #mine == 0 then
        return
    end
    redis.call('DEL', unpack(names, 1, #mine))
    -- Mostly nobody waits.
    if redis.call('EXISTS', unpack(waiters)) > 0 then
        for _, lock in ipairs(mine) do
            wake_next(lock, now)
        end
    end
end
