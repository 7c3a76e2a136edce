-- dropBatch(usage, sealed, batch, batchId): removes a sealed batch with all that belongs to it, and gives
-- its room back; nothing when it is not there. Removing comes first: it is allowed also when Redis is full,
-- and so is all that follows it.
-- batch: five keys: batch, chunks, index, manifest, staged
local function dropBatch(usage, sealed, batch, batchId)
  local facts, stagedBytes = unpack(redis.call('HMGET', batch[1], 'facts', 'stagedBytes'))
  if not facts then return end
  redis.call('UNLINK', unpack(batch))
  redis.call('ZREM', sealed, batchId)
  local storedBytes = cjson.decode(facts).storedBytes + tonumber(stagedBytes or 0)
  redis.call('HINCRBY', usage, 'storedBytes', -storedBytes)
  redis.call('HINCRBY', usage, 'batchCount', -1)
end
