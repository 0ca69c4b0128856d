# The service alone: no sandbox binaries, no simulator, no development dependencies.
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY . .
# Loads every module once, so that the image starts with its types stripped and compiled. As the
# user that will run it: Node keeps a cache for each.
ENV NODE_COMPILE_CACHE=/app/.compile-cache
RUN mkdir .compile-cache && chown 1000:1000 .compile-cache
USER 1000:1000
RUN node src/main.ts openapi --check

FROM ${NODE_IMAGE}
WORKDIR /app
ENV NODE_COMPILE_CACHE=/app/.compile-cache
COPY --from=build /app /app
# By number, so that a cluster can see that it is not root. Nothing is written to the file system.
USER 1000:1000
EXPOSE 3000 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# What `npm start` runs: with small spaces for what is new, a third of the memory is not needed.
CMD ["node", "--max-semi-space-size=8", "src/main.ts"]
