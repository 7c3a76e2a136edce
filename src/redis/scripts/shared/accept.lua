-- accept(keys, batchId, recordCount): enters a batch into the books as accepted, once.
-- keys: receipts, accepted, books, replays, imported
local function accept(keys, batchId, recordCount)
  if redis.call('HEXISTS', keys.receipts, batchId) == 1 then return 0 end
  if redis.call('SADD', keys.accepted, batchId) == 0 then return 0 end
  redis.call('HINCRBY', keys.books, 'accepted', recordCount)
  if redis.call('HEXISTS', keys.replays, batchId) == 1 then
    redis.call('SADD', keys.imported, batchId)
  end
  return 1
end
