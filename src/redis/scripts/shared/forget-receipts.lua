-- forgetReceipts(keys, batchIds): removes the receipts of at most a few hundred batches.
-- keys: receipts, delivered
local function forgetReceipts(keys, batchIds)
  if #batchIds == 0 then return end
  redis.call('ZREM', keys.delivered, unpack(batchIds))
  redis.call('HDEL', keys.receipts, unpack(batchIds))
end
