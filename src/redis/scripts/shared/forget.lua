-- forget(keys, batchId): takes a batch that is not in `due` out of its lane's queue.
-- keys: queue, queued, later, inflight, lent, parked, entry (of the batch)
local function forget(keys, batchId)
  local counts = redis.call('HMGET', keys.entry, 'recordCount', 'dataBytes')
  if redis.call('ZREM', keys.queued, batchId) == 1 then
    redis.call('HINCRBY', keys.queue, 'recordCount', -tonumber(counts[1] or 0))
    redis.call('HINCRBY', keys.queue, 'dataBytes', -tonumber(counts[2] or 0))
  end
  redis.call('ZREM', keys.later, batchId)
  redis.call('HDEL', keys.inflight, batchId)
  redis.call('SREM', keys.lent, batchId)
  redis.call('SREM', keys.parked, batchId)
  redis.call('DEL', keys.entry)
end
