-- Enters replayed parts behind those of their sources.
-- KEYS: replays, replayorder, imported (of lane 0)
-- ARGV: of each part in turn: batchId, source, part (JSON), 1 when it was imported, else 0
-- Answers 1.
for index = 1, #ARGV, 4 do
  local batchId, source = ARGV[index], ARGV[index + 1]
  if redis.call('HSETNX', KEYS[1], batchId, ARGV[index + 2]) == 1 then
    local order = redis.call('HGET', KEYS[2], source) or ''
    redis.call('HSET', KEYS[2], source, order .. batchId)
  end
  if ARGV[index + 3] == '1' then redis.call('SADD', KEYS[3], batchId) end
end
return 1
