#!/bin/sh
# Random passwords and the first API key for docker-compose.yml, one file each. What is there already is kept, so a
# second run changes nothing. The first API key is read with: cat deploy/secrets/ADMIN_API_KEY
set -eu

directory="${1:-$(dirname "$0")/secrets}"
# Containers read the files under accounts of their own, so each is readable; the directory is ours alone.
mkdir -p "$directory"
chmod 700 "$directory"

random() {
  od -An -tx1 -N24 /dev/urandom | tr -d ' \n'
}

write() { # NAME TEXT
  if [ ! -e "$directory/$1" ]; then
    printf '%s\n' "$2" >"$directory/$1.new"
    chmod 444 "$directory/$1.new"
    mv "$directory/$1.new" "$directory/$1"
    echo "made $1"
  fi
}

write postgres_password "$(random)" # the superuser's, which the service never gets
write database_password "$(random)"
write DATABASE_URL "postgresql://cv:$(cat "$directory/database_password")@postgres:5432/hoteldb"

write MILVUS_PASSWORD "$(random)"
write milvus.yaml "common:
  security:
    authorizationEnabled: true
    defaultRootPassword: $(cat "$directory/MILVUS_PASSWORD")"

redis_password="$(random)"
write redis.conf "requirepass $redis_password
appendonly yes
maxmemory 512mb
maxmemory-policy volatile-lru"
write REDIS_URL "redis://:$(sed -n 's/^requirepass //p' "$directory/redis.conf")@redis:6379/0"

rabbitmq_password="$(random)"
write rabbitmq.conf "default_user = cv
default_pass = $rabbitmq_password"
write RABBITMQ_URL "amqp://cv:$(sed -n 's/^default_pass = //p' "$directory/rabbitmq.conf")@rabbitmq:5672/"

write objects_root_user "root-$(random | cut -c1-16)"
write objects_root_password "$(random)"
write MINIO_ACCESS_KEY "cv-$(random | cut -c1-16)"
write MINIO_SECRET_KEY "$(random)"
# Opens everything that is encrypted at rest: keep a copy away from the backups. cv rotate-key says how it changes.
write CV_MASTER_KEY "1:$(head -c 32 /dev/urandom | base64)"
write ADMIN_API_KEY "cvk_$(random)"
# Of a Qdrant that asks for one (VECTOR_DB=qdrant), of an MQTT broker, of an identity provider, and of logins sealed before there
# were master keys: empty unless you write them.
write QDRANT_API_KEY ""
write MQTT_URL ""
write OIDC_CLIENT_SECRET ""
write CAMERA_SECRET_KEY ""
write grafana_password "$(random)"
