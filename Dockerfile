# hpo in an image: `docker build -t hpo .`, then `docker run --rm hpo --help`.
#
# TORCH_INDEX_URL decides between CPU-only and CUDA. Empty, as it is, takes torch from pip's usual
# index, whose Linux wheels carry CUDA (about 5 GB). For a CPU-only image give the index that
# PyTorch's installation page names for "CPU": --build-arg TORCH_INDEX_URL=...
# TORCH names other requirements than the newest torch and torchvision.

ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build

ARG TORCH="torch torchvision"
ARG TORCH_INDEX_URL=""
# Compiled code is valid as long as its source's time is the one noted in it. Layers round times, so
# every start would compile anew, and could not keep it: here it is valid without a look at times.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    COMPILE="compileall -q -j 0 --invalidation-mode unchecked-hash"

RUN python3 -m venv /opt/hpo
# By itself, because it is most of the image and no change of our sources touches it.
# hadolint ignore=SC2086
RUN /opt/hpo/bin/pip install --no-compile \
        ${TORCH_INDEX_URL:+--index-url "${TORCH_INDEX_URL}"} ${TORCH} \
    && /opt/hpo/bin/pip freeze > /tmp/installed.txt \
    && grep '^torch' /tmp/installed.txt > /tmp/torch.txt

WORKDIR /src
# What we depend on changes more seldom than we do; the constraint keeps the torch chosen above.
COPY pyproject.toml .
# Some packages carry templates that end in .py and are no Python: they stay as they are.
# hadolint ignore=SC2086
RUN python3 -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
        e = p['optional-dependencies']; \
        print(*p['dependencies'], *e['postgres'], *e['samplers'], sep='\n')" > /tmp/needed.txt \
    && /opt/hpo/bin/pip install --no-compile \
        --constraint /tmp/torch.txt --requirement /tmp/needed.txt \
    && (/opt/hpo/bin/python -m ${COMPILE} /opt/hpo/lib || true)

COPY . .
# hadolint ignore=SC2086
RUN /opt/hpo/bin/pip install --no-compile --no-deps . \
    && /opt/hpo/bin/python -m ${COMPILE} /opt/hpo/lib/python3.*/site-packages/hpo


FROM ${PYTHON_IMAGE}

# The official image has its standard library without compiled code.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" || true
# Everything that is written outside the project folder goes under /data, which stays writable
# when the root file system is not; any user may write there, so that --user works.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data hpo \
    && mkdir /project \
    && install --directory --mode 1777 /data
COPY --from=build /opt/hpo /opt/hpo
ENV PATH=/opt/hpo/bin:$PATH \
    HOME=/data \
    HPO_DATA=/data/datasets \
    NUMBA_CACHE_DIR=/data/numba \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
VOLUME ["/data"]
WORKDIR /project
USER 10001:10001
ENTRYPOINT ["hpo"]
CMD ["--help"]
