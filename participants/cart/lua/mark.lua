-- KEYS[1] cart; ARGV[1] names a change that begins, ARGV[2] how long its mark stays at most, ms.
-- From here on there is no copy and no lease. The mark counts the changes under way and names the last that began.
local under_way = string.match(redis.call('GETRANGE', KEYS[1], 0, 63), '^W(%d+):') or 0
redis.call('SET', KEYS[1], string.format('W%d:%s', under_way + 1, ARGV[1]), 'PX', ARGV[2])
