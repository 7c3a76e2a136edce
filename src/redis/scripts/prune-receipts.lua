-- Forgets a page of receipts that are too old, the oldest first.
-- KEYS: receipts, delivered (of the lane)
-- ARGV: the time before which they were delivered, how many at most (a few hundred)
-- Answers how many there were.
-- @include forget-receipts
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
forgetReceipts({ receipts = KEYS[1], delivered = KEYS[2] }, ids)
return #ids
