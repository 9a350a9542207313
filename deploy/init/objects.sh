#!/bin/sh
# Makes the service's bucket and its own user, in the minio image, as root. Bears repetition. The user may read, write and
# delete in that bucket, and nothing else: neither other buckets nor users.
set -eu
secrets="${SECRETS_DIR:-/run/secrets}"
bucket="$MINIO_BUCKET"
access_key="$(cat "$secrets/MINIO_ACCESS_KEY")"
secret_key="$(cat "$secrets/MINIO_SECRET_KEY")"
MC_HOST_root="http://$(cat "$secrets/objects_root_user"):$(cat "$secrets/objects_root_password")@objects:9000"
MC_HOST_service="http://$access_key:$secret_key@objects:9000"
MC_CONFIG_DIR="$(mktemp -d)"
export MC_HOST_root MC_HOST_service MC_CONFIG_DIR

cat >"$MC_CONFIG_DIR/policy.json" <<END
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
      "Resource": ["arn:aws:s3:::$bucket"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
      "Resource": ["arn:aws:s3:::$bucket/*"]
    }
  ]
}
END
mc mb --ignore-existing "root/$bucket"
mc admin policy create root cv-service "$MC_CONFIG_DIR/policy.json"
mc admin user add root "$access_key" "$secret_key"
# A policy that is attached already is refused; whether the user has it is seen in the last line.
mc admin policy attach root cv-service --user "$access_key" || true
mc ls "service/$bucket" >/dev/null
