# What `up` writes for each service to read; sourced by it.
# shellcheck shell=bash disable=SC2034

PASSWORD=not-a-secret    # of every account: the cloud listens on 127.0.0.1 only, and holds nothing
P_KEYSTONE=$PORT P_PLACEMENT=$((PORT + 1)) P_NOVA=$((PORT + 2)) P_GLANCE=$((PORT + 3)) P_NEUTRON=$((PORT + 4))
P_RABBITMQ=$((PORT + 5)) P_RABBITMQ_DIST=$((PORT + 6)) P_EPMD=$((PORT + 7))
AUTH_URL=http://127.0.0.1:$P_KEYSTONE/v3
TRANSPORT=rabbit://openstack:$PASSWORD@127.0.0.1:$P_RABBITMQ/
NOVA=(--config-file "$ETC/nova/nova.conf" --config-file "$ETC/nova/nova-db.conf")

unset PYTHONDONTWRITEBYTECODE
export OS_KEYSTONE_CONFIG_DIR=$ETC/keystone OS_PLACEMENT_CONFIG_DIR=$ETC/placement OS_GLANCE_CONFIG_DIR=$ETC/glance
export OS_NOVA_CONFIG_DIR=$ETC/nova OS_NOVA_CONFIG_FILES='api-paste.ini;nova.conf;nova-db.conf'

database() { echo "mysql+pymysql://root@localhost/$1?unix_socket=$RUN/mysql.sock&charset=utf8"; }

credentials() {    # credentials SECTION USER: by which a service authenticates
    cat <<E
[$1]
auth_type = password
auth_url = $AUTH_URL
username = $2
password = $PASSWORD
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
E
}
authtoken() {    # authtoken USER SERVICE_TYPE: how a service checks its clients; the type is needed for access rules
    credentials keystone_authtoken "$1"
    echo "service_type = $2"
}

configure() {
    mkdir -p "$ETC"/{keystone,placement,glance,nova}

    echo '[].' >"$ETC/rabbitmq-plugins"
    cat >"$ETC/rabbitmq.conf" <<E
default_user = openstack
default_pass = $PASSWORD
disk_free_limit.absolute = 100MB
E

    cat >"$ETC/keystone/keystone.conf" <<E
[database]
connection = $(database keystone)
[token]
expiration = 86400
[fernet_tokens]
key_repository = $STATE/keystone/fernet
[fernet_receipts]
key_repository = $STATE/keystone/fernet
[credential]
key_repository = $STATE/keystone/credential
[cache]
enabled = true
backend = dogpile.cache.memory
E

    cat >"$ETC/placement/placement.conf" <<E
[placement_database]
connection = $(database placement)
$(authtoken placement placement)
E

    cat >"$ETC/glance/glance-api.conf" <<E
[DEFAULT]
enabled_backends = files:file
enabled_import_methods = []
[database]
connection = $(database glance)
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = $STATE/glance/images
[os_glance_staging_store]
filesystem_store_datadir = $STATE/glance/staging
[os_glance_tasks_store]
filesystem_store_datadir = $STATE/glance/tasks
[paste_deploy]
flavor = keystone
$(authtoken glance image)
E
    cp "$ROOT/venv/etc/glance/glance-api-paste.ini" "$ETC/glance/"

    cat >"$ETC/nova/nova.conf" <<E
[DEFAULT]
transport_url = $TRANSPORT
my_ip = 127.0.0.1
state_path = $STATE/nova
compute_driver = fake.FakeDriverWithoutFakeNodes
allow_resize_to_same_host = true
report_interval = 5
[compute]
# nothing plugs interfaces here; a live migration would wait 300 s for it
live_migration_wait_for_vif_plug = false
[scheduler]
workers = 1
[conductor]
workers = 1
[quota]
instances = -1
cores = -1
ram = -1
[vnc]
enabled = false
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = $STATE/nova/lock
$(credentials placement nova)
$(credentials neutron nova)
$(credentials glance nova)
$(authtoken nova compute)
E
    cat >"$ETC/nova/nova-db.conf" <<E
[api_database]
connection = $(database nova_api)
[database]
connection = $(database nova_cell1)
E
    local i
    for i in $COMPUTES; do
        printf '[DEFAULT]\nhost = compute%s\nstate_path = %s\n' "$i" "$STATE/nova/compute$i" >"$ETC/nova/compute$i.conf"
    done
    cp "$ROOT/venv/etc/nova/api-paste.ini" "$ETC/nova/"

    local account="auth_url: '$AUTH_URL', password: $PASSWORD"
    cat >"$ROOT/clouds.yaml" <<E
clouds:
  admin:
    auth: {$account, username: admin, project_name: admin, user_domain_name: Default, project_domain_name: Default}
    region_name: RegionOne
  reader:
    auth: {$account, username: xdmod-reader, user_domain_name: Default, system_scope: all}
    region_name: RegionOne
  collector:
    auth_type: v3applicationcredential
    auth: {auth_url: '$AUTH_URL', username: xdmod-collector, user_domain_name: Default,
           application_credential_name: read-only, application_credential_secret: $PASSWORD}
    region_name: RegionOne
  astro:
    auth: {$account, username: ada, project_name: astro, user_domain_name: Default, project_domain_name: Default}
    region_name: RegionOne
  climate:
    auth: {$account, username: carl, project_name: climate, user_domain_name: partners, project_domain_name: partners}
    region_name: RegionOne
E
}
