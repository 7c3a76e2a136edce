-- fail(keys, batchId, failure): ends a claim as failed, for the batch and for its lane.
-- keys: queue, inflight, lent, entry (of the batch)
local function fail(keys, batchId, failure)
  redis.call('HDEL', keys.inflight, batchId)
  redis.call('SREM', keys.lent, batchId)
  redis.call('HSET', keys.entry, 'lastFailure', failure)
  redis.call('HSET', keys.queue, 'lastFailure', failure)
  redis.call('HINCRBY', keys.queue, 'failureCount', 1)
end
