-- KEYS[1] cart; ARGV[1] a reader's lease, ARGV[2] how long it holds, ms.
-- Answers what is there. Where nothing is, the reader that asked may fill it in, until somebody marks the cart.
local there = redis.call('GET', KEYS[1])
if not there then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return there
