-- enqueue(keys, batchId, facts, recordCount, dataBytes, firstArrivalMs): puts a sealed batch at the end of
-- its lane's queue, once. `facts` is the JSON of its SealedBatch. The caller sees to it that the lane is
-- fed afterwards (feed.lua).
-- keys: queued, entry (of the batch), queue, due
local function enqueue(keys, batchId, facts, recordCount, dataBytes, firstArrivalMs)
  if redis.call('ZADD', keys.queued, 'NX', firstArrivalMs, batchId) == 0 then return 0 end
  redis.call('HSET', keys.entry, 'facts', facts, 'attempt', 0,
    'recordCount', recordCount, 'dataBytes', dataBytes)
  redis.call('HINCRBY', keys.queue, 'recordCount', recordCount)
  redis.call('HINCRBY', keys.queue, 'dataBytes', dataBytes)
  redis.call('RPUSH', keys.due, batchId)
  return 1
end
