-- Gives a seat of a queue with a limit back, and lets whoever has been refused one try again.
local function leave_seat(queue, seat)
    if redis.call('ZREM', seats_of(queue), seat) == 1 and redis.call('EXISTS', in_state('queued', queue)) == 1 then
        announce(queue)
    end
end
