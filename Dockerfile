# One image for operator and brokers: non-root, nothing written outside the data volume and /tmp.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional packages carry the native binaries of the bundler and of the checksum.
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund
COPY . .
RUN node scripts/build.ts

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/compile-cache
COPY --from=build /app/package.json ./
COPY --from=build /app/proto ./proto
COPY --from=build /app/dist ./dist
COPY --from=build /app/node_modules/@node-rs ./node_modules/@node-rs
COPY scripts/image-entry.mjs /usr/local/bin/tenure
# The compile cache is filled once here, so that a start only reads it.
RUN chmod 755 /usr/local/bin/tenure && tenure warm-up && chown -R root:root /app && chmod -R a+rX /app
USER 1000:1000
ENTRYPOINT ["tenure"]
