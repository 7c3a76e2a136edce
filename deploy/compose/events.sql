-- What the delivery stream `warehouse` of standpipe.yaml loads into.
CREATE TABLE events (
  id text,
  at timestamptz DEFAULT now(),
  kind text,
  body jsonb
);
