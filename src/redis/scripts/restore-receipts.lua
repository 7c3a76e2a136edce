-- Enters receipts that are in the books already. The oldest make room.
-- KEYS: receipts, delivered (of the lane)
-- ARGV: receiptsMax, then of at most a few hundred receipts in turn: batchId, receipt, deliveredAtMs
-- Answers 1.
-- @include forget-receipts
for index = 2, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1])
  redis.call('ZADD', KEYS[2], ARGV[index + 2], ARGV[index])
end
local surplus = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[1])
if surplus > 0 then
  forgetReceipts(
    { receipts = KEYS[1], delivered = KEYS[2] },
    redis.call('ZRANGE', KEYS[2], 0, surplus - 1)
  )
end
return 1
