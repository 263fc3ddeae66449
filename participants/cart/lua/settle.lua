-- KEYS[1] cart; ARGV[1] names a change that has ended, ARGV[2] the copy or nothing, ARGV[3] how long it lives, ms.
-- A copy only from a change that was alone from its beginning to its end: of two at once nobody here knows which one
-- the database took last. After them the cart is read from the database.
local under_way, last = string.match(redis.call('GETRANGE', KEYS[1], 0, 63), '^W(%d+):(.*)$')
if under_way and tonumber(under_way) > 1 then
    redis.call('SET', KEYS[1], string.format('W%d:', under_way - 1), 'KEEPTTL')
elseif under_way and last == ARGV[1] and ARGV[2] ~= '' then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else
    -- Also where the mark is gone, as after FLUSHALL: what is there now may have been read before the change.
    redis.call('DEL', KEYS[1])
end
