-- What the delivery stream `warehouse` of standpipe.yaml loads into.
CREATE TABLE events (
  id text,
  at timestamptz,
  kind text,
  body jsonb
);
