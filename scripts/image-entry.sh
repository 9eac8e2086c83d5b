#!/bin/sh
# `tenure broker` and `tenure operator` inside the image.
case "$1" in
  broker) exec node /app/dist/broker.mjs ;;
  operator) exec node /app/dist/operator.mjs ;;
  check-operator) shift; exec node /app/dist/check.mjs "$@" ;;
  # Loads both without starting them: their options are missing, which they say.
  warm-up) node /app/dist/broker.mjs >/dev/null 2>&1; node /app/dist/operator.mjs >/dev/null 2>&1; exit 0 ;;
  *) echo "usage: tenure broker|operator|check-operator URL (configured by environment variables)" >&2; exit 2 ;;
esac
