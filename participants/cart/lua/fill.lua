-- KEYS[1] cart; ARGV[1] the reader's lease, ARGV[2] the copy, ARGV[3] how long it lives, ms.
-- Only under the lease: a change that began since has taken it away, and so has FLUSHALL.
if redis.call('GETRANGE', KEYS[1], 0, 63) == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
