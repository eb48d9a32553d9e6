# Three stages: one builds the renderer; one has pip and the build tools and installs by hash; the last has Python and
# what was built, no more. `make lock` adds the digests of the base images where a registry can be reached.
ARG PYTHON_IMAGE=python:3.13-slim
ARG GO_IMAGE=golang:1.26
FROM ${GO_IMAGE} AS renderer
WORKDIR /src
COPY renderer .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o /nopea-render .

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/build && python -m venv --without-pip /opt/nopea
WORKDIR /src

# The dependencies change seldom: layers of their own. Wheels only, so that nothing is compiled here.
COPY requirements requirements
RUN /opt/build/bin/pip --python /opt/nopea install --require-hashes --only-binary :all: -r requirements/runtime.txt
RUN /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements/dev.txt

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /wheels . \
 && /opt/build/bin/pip --python /opt/nopea install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
RUN pip uninstall --yes pip \
 && groupadd --system --gid 65532 nopea \
 && useradd --system --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin nopea \
 && install -d -o 65532 -g 65532 /var/cache/nopea
COPY --from=build /opt/nopea /opt/nopea
COPY --from=renderer /nopea-render /opt/nopea/bin/nopea-render
ENV PATH=/opt/nopea/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 4000 4001
ENTRYPOINT ["nopea"]
CMD ["run"]
