-- Gives a seat of a queue with a limit back, or all seats that a worker has there, and lets whoever has been refused
-- one try again.
local function leave_seat(queue, seat)
    local names = { seat }
    if string.sub(seat, -1) == ':' then
        names = redis.call('ZRANGE', seats_of(queue), 0, -1)
    end
    local left = 0
    for _, name in ipairs(names) do
        if is_meant(name, seat) then
            left = left + redis.call('ZREM', seats_of(queue), name)
        end
    end
    if left > 0 and redis.call('EXISTS', in_state('queued', queue)) == 1 then
        announce(queue)
    end
end
