-- isHeld(entryKey, heldBy): whether the claim with that token still has the batch. Without a token nobody
-- asks; a batch that is in no queue belongs to whoever deals with it, unless it was claimed.
local function isHeld(entryKey, heldBy)
  return heldBy == '' or redis.call('HGET', entryKey, 'heldBy') == heldBy
end
