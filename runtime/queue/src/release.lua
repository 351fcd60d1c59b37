-- Frees locks and seats of runs that end without being settled.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  now
--       3  number of locks
--       4- lock, token; so often. Then queue, seat; any number of times
local now, locks = ARGV[2], tonumber(ARGV[3])
for at = 4, 3 + 2 * locks, 2 do
    unlock(ARGV[at], ARGV[at + 1], now)
end
for at = 4 + 2 * locks, #ARGV, 2 do
    leave_seat(ARGV[at], ARGV[at + 1])
end
return 1
