#compdef edgeclients
# Written by .ci/generate_pages.py.

_edgeclients() {
    local command="" word previous=$words[CURRENT-1]
    local -a found
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$command $word" in
        ' serve' | ' config' | 'config check' | ' operators' | 'operators add' | 'operators change' | 'operators list' | \
        'operators remove' | 'operators token' | 'operators token add' | 'operators token list' | \
        'operators token remove' | ' events' | 'events status' | ' clients' | 'clients list' | 'clients create' | \
        'clients get' | 'clients update' | 'clients rotate' | 'clients enable' | 'clients disable' | 'clients delete' | \
        'clients connect' | 'clients disconnect' | ' roles' | 'roles list' | 'roles create' | ' secrets' | ' import' | \
        ' export' | ' move' | ' labels' | ' audit' | ' backup' | ' restore' | ' doctor' | ' version' | ' health') command="${command:+$command }$word" ;;
        esac
    done
    case "$command $previous" in
    'operators add --output' | 'operators change --output' | 'operators list --output' | 'operators remove --output' | \
    'operators token add --output' | 'operators token list --output' | 'operators token remove --output' | \
    'events status --output' | 'move --output' | 'backup --output' | 'restore --output') compadd text json; return ;;
    'operators add --name' | 'operators change --name' | 'clients list --name' | 'clients update --name' | \
    'import --sheet') _message 'NAME'; return ;;
    'operators add --domain' | 'operators change --domain') _message 'DOMAIN=STANDING'; return ;;
    'operators change --without' | 'clients list --domain' | 'clients create --domain' | 'clients get --domain' | \
    'clients update --domain' | 'clients rotate --domain' | 'clients enable --domain' | 'clients disable --domain' | \
    'clients delete --domain' | 'clients connect --domain' | 'clients disconnect --domain' | 'roles list --domain' | \
    'roles create --domain' | 'secrets --domain' | 'import --domain' | 'export --domain' | 'audit --domain') _message 'DOMAIN'; return ;;
    'operators token add --expires-in' | 'clients rotate --grace') _message 'DURATION'; return ;;
    'clients list --url' | 'clients create --url' | 'clients get --url' | 'clients update --url' | \
    'clients rotate --url' | 'clients enable --url' | 'clients disable --url' | 'clients delete --url' | \
    'clients connect --url' | 'clients disconnect --url' | 'roles list --url' | 'roles create --url' | 'secrets --url' | \
    'move --to' | 'move --from' | 'audit --url') _message 'URL'; return ;;
    'clients list --token-file' | 'clients create --token-file' | 'clients get --token-file' | \
    'clients update --token-file' | 'clients rotate --token-file' | 'clients enable --token-file' | \
    'clients disable --token-file' | 'clients delete --token-file' | 'clients connect --token-file' | \
    'clients disconnect --token-file' | 'roles list --token-file' | 'roles create --token-file' | 'secrets --token-file' \
    | 'import --secrets-out' | 'import --report' | 'export --out' | 'move --pepper' | 'labels --font' | \
    'audit --token-file' | 'backup --passphrase-file' | 'restore --passphrase-file' | 'restore --identity-file' | \
    'restore --pepper') _files; return ;;
    'clients list --output' | 'clients create --output' | 'clients get --output' | 'clients update --output' | \
    'clients rotate --output' | 'clients enable --output' | 'clients disable --output' | 'clients delete --output' | \
    'clients connect --output' | 'clients disconnect --output' | 'roles list --output' | 'roles create --output' | \
    'secrets --output' | 'audit --output') compadd table json jsonl csv; return ;;
    'clients list --tag' | 'clients create --tag' | 'clients update --tag') _message 'TAG'; return ;;
    'clients list --status') compadd enabled disabled all; return ;;
    'clients list --limit' | 'audit --limit') _message 'LIMIT'; return ;;
    'clients create --external-id' | 'clients update --external-id') _message 'EXTERNAL_ID'; return ;;
    'clients create --metadata' | 'clients update --metadata') _message 'JSON'; return ;;
    'clients create --identity') _message 'IDENTITY'; return ;;
    'clients get --by' | 'clients update --by' | 'clients rotate --by' | 'clients enable --by' | 'clients disable --by' \
    | 'clients delete --by' | 'clients connect --by' | 'clients disconnect --by' | 'roles list --by' | \
    'roles create --by' | 'secrets --by' | 'import --key') compadd id external_id name; return ;;
    'clients connect --type' | 'clients disconnect --type') compadd publish subscribe; return ;;
    'roles create --action') _message 'ACTION'; return ;;
    'roles create --member') _message 'MEMBER'; return ;;
    'export --format') compadd csv jsonl; return ;;
    'labels --out') _message 'FILE'; return ;;
    'labels --sheet') compadd avery-l7160 avery-l7163 avery-l7654 avery-l7651 avery-l6009 avery-l6011 avery-5160 avery-5163 herma-4457 a4-3x8 label-62x29 label-50x30; return ;;
    'labels --template') _message 'TEXT'; return ;;
    'labels --start') _message 'N'; return ;;
    'audit --client') _message 'ID'; return ;;
    'audit --operation') _message 'OPERATION'; return ;;
    'audit --since') _message 'TIME'; return ;;
    'backup --recipient') _message 'KEY'; return ;;
    'backup --keep') _message 'RULE'; return ;;
    esac
    case "$command" in
    '') found=('serve:run the service' 'config:check the settings' 'operators:manage local operators and their tokens' 'events:show the state of the outbox' 'clients:create, find and change clients' 'roles:list and create roles of clients' 'secrets:list replaced secrets that still work, and when each was last used' 'import:create and update clients from a CSV, XLSX or JSONL file' 'export:write the clients of a domain as CSV or JSON lines' 'move:copy everything from the data directory into PostgreSQL, or back' 'labels:make sheets of labels with QR codes from a file of secrets' 'audit:list who changed what, when and from where' 'backup:back up the data directory' 'restore:restore a backup into an empty data directory' 'doctor:examine the installation and say what to do' 'version:print the version' 'health:check the health of the service on this machine' '--version:show program'\''s version number and exit' '-h:show the help' '--help:show the help') ;;
    'serve' | 'config check' | 'version' | 'health') found=('-h:show the help' '--help:show the help') ;;
    'config') found=('check:print the effective settings, or every fault in them' '-h:show the help' '--help:show the help') ;;
    'operators') found=('add:add an operator' 'change:change an operator'\''s name or domains' 'list:list the operators' 'remove:remove an operator, with tokens and role memberships' 'token:manage an operator'\''s tokens' '-h:show the help' '--help:show the help') ;;
    'operators add') found=('--output:output format' '--name:display name' '--domain:give access to DOMAIN, as admin or member' '-h:show the help' '--help:show the help') ;;
    'operators change') found=('--output:output format' '--name:new display name' '--domain:give or change access to DOMAIN, as admin or member' '--without:revoke access to DOMAIN' '-h:show the help' '--help:show the help') ;;
    'operators list' | 'operators remove' | 'operators token list' | 'operators token remove' | 'events status') found=('--output:output format' '-h:show the help' '--help:show the help') ;;
    'operators token') found=('add:create a token and print it, only this once' 'list:list an operator'\''s tokens' 'remove:remove a token' '-h:show the help' '--help:show the help') ;;
    'operators token add') found=('--output:output format' '--expires-in:lifetime of the token, such as 720h' '-h:show the help' '--help:show the help') ;;
    'events') found=('status:show the number and age of unsent events, and the last event sent' '-h:show the help' '--help:show the help') ;;
    'clients') found=('list:list clients' 'create:create a client, and print it with its secret, only this once' 'get:print a client' 'update:change a client' 'rotate:give a client a new secret, and print it, only this once' 'enable:let a client authenticate' 'disable:keep a client from authenticating' 'delete:delete a client' 'connect:connect a client to a channel' 'disconnect:disconnect a client from a channel' '-h:show the help' '--help:show the help') ;;
    'clients list') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--output:output format' '--name:a part of the name' '--tag:a tag that they have' '--status:their status' '--limit:how many at most' '-h:show the help' '--help:show the help') ;;
    'clients create') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--output:output format' '--external-id:what its owner knows it by, such as a serial number' '--tag:a tag' '--metadata:a JSON object' '--identity:a name for the client to present' '-h:show the help' '--help:show the help') ;;
    'clients get' | 'clients enable' | 'clients disable' | 'clients delete' | 'roles list' | 'secrets') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--output:output format' '--by:what CLIENT is' '-h:show the help' '--help:show the help') ;;
    'clients update') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--output:output format' '--by:what CLIENT is' '--name:its new name' '--external-id:what its owner knows it by, such as a serial number' '--tag:a tag' '--metadata:a JSON object' '-h:show the help' '--help:show the help') ;;
    'clients rotate') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--output:output format' '--by:what CLIENT is' '--grace:how long the old one works on, such as 1h' '-h:show the help' '--help:show the help') ;;
    'clients connect' | 'clients disconnect') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--output:output format' '--by:what CLIENT is' '--type:repeatable' '-h:show the help' '--help:show the help') ;;
    'roles') found=('list:list the roles of a client' 'create:create a role of a client' '-h:show the help' '--help:show the help') ;;
    'roles create') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--output:output format' '--by:what CLIENT is' '--action:an action that the role allows' '--member:the id of a user who gets the role' '-h:show the help' '--help:show the help') ;;
    'import') found=('--domain:the domain of the clients' '--key:the column that says which client a line is about' '--all-new:create a client for each line' '--dry-run:judge every line, and change nothing' '--atomic:change nothing unless every line is good' '--sheet:the sheet of an XLSX file' '--secrets-out:a new file for the secrets that are made (CSV, 0600)' '--report:a file for the bad lines (JSON lines), new or an earlier report' '-h:show the help' '--help:show the help') ;;
    'export') found=('--domain:the domain of the clients' '--format:the form' '--with-hashes:include the hashes of secrets' '--out:a new file (0600)' '-h:show the help' '--help:show the help') ;;
    'move') found=('--to:copy the data directory into this database' '--from:copy this database into the data directory' '--pepper:file to write a copy of the pepper to, for the service on the new storage' '--output:output format' '-h:show the help' '--help:show the help') ;;
    'labels') found=('--out:file to write, which must not exist' '--sheet:what is printed on' '--template:what a code holds, with {id}, {secret}, {external_id}, {name} and {domain_id}' '--start:first label to print on, for a page that is partly used' '--font:TrueType or OpenType font for serial and name' '-h:show the help' '--help:show the help') ;;
    'audit') found=('--domain:the domain' '--url:the address of a service' '--token-file:a file with the caller'\''s token, for --url' '--client:only what was done to the client with this id' '--operation:only this operation, such as client.update or client.denied' '--since:only since 2026-11-26, 2026-11-26T09:30 or, for the last day, 24h' '--limit:how many at most' '--output:output format' '-h:show the help' '--help:show the help') ;;
    'backup') found=('--with-pepper:add the peppers and the operator'\''s token, and encrypt the backup' '--passphrase-file:encrypt the backup with the passphrase in FILE, in the age format' '--recipient:encrypt the backup to the owner of this public key of age (age1…)' '--keep:then remove older backups from the folder' '--output:output format' '-h:show the help' '--help:show the help') ;;
    'restore') found=('--passphrase-file:file with the passphrase of the backup' '--identity-file:file with the identity of age of a recipient' '--pepper:file with the pepper, if the backup does not hold it' '--output:output format' '-h:show the help' '--help:show the help') ;;
    'doctor') found=('--json:print the checks as JSON' '-h:show the help' '--help:show the help') ;;
    esac
    _describe -o 'edgeclients' found
    case "$command" in
    'import' | 'labels' | 'backup' | 'restore') _files ;;
    esac
}

_edgeclients "$@"
