# Your own server: `docker build -t evidence .` then
# `docker run -p 127.0.0.1:7860:7860 -v evidence-data:/data --stop-timeout 30 evidence`
# A stop answers open requests, lets the worker write a checkpoint and takes a last snapshot, in EVIDENCE_STOP_SECONDS (25);
# Docker itself waits for 10 s only, hence --stop-timeout
# A CUDA build: `docker build --build-arg TORCH=cuda -t evidence:cuda .` and `docker run --gpus all ...`
# The small CPU build of torch: `--build-arg TORCH_INDEX=` the address of PyTorch's CPU wheels, from its installation page
FROM python:3.12-slim

# cuda adds LoRA and 4-bit loading; without TORCH_INDEX pip chooses the build of torch
ARG TORCH=cpu
ARG TORCH_INDEX=

RUN useradd --create-home --uid 1000 evidence && mkdir /data && chown evidence /data
WORKDIR /app
COPY --chown=evidence pyproject.toml README.md CHANGELOG.md LICENSE app.py requirements.txt ./
COPY --chown=evidence storage storage
COPY --chown=evidence encoder encoder
COPY --chown=evidence annotator annotator
# the range of torch is that of pyproject.toml
# hadolint ignore=DL3013
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir --index-url "$TORCH_INDEX" "torch>=2.8,<3"; fi \
    && if [ "$TORCH" = cuda ]; then pip install --no-cache-dir ".[gpu]"; else pip install --no-cache-dir .; fi

# by its number: some platforms must see that it is not root
USER 1000
VOLUME /data
ENV EVIDENCE_DATA_DIR=/data EVIDENCE_HOST=0.0.0.0 EVIDENCE_PORT=7860 PYTHONUNBUFFERED=1
EXPOSE 7860
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"EVIDENCE_PORT\"]}/healthz', timeout=4)"]
# Listening on 0.0.0.0 needs accounts first: `docker run -it -v evidence-data:/data evidence users add NAME --role admin`
ENTRYPOINT ["evidence"]
CMD ["serve"]
