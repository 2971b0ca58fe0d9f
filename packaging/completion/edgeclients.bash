# Written by .ci/generate_pages.py.

_edgeclients() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command="" word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$command $word" in
        ' serve' | ' config' | 'config check' | ' operators' | 'operators add' | 'operators change' | 'operators list' | \
        'operators remove' | 'operators token' | 'operators token add' | 'operators token list' | \
        'operators token remove' | ' events' | 'events status' | ' clients' | 'clients list' | 'clients create' | \
        'clients get' | 'clients update' | 'clients rotate' | 'clients enable' | 'clients disable' | 'clients delete' | \
        'clients connect' | 'clients disconnect' | ' roles' | 'roles list' | 'roles create' | ' secrets' | ' import' | \
        ' export' | ' move' | ' labels' | ' audit' | ' backup' | ' restore' | ' doctor' | ' version' | ' health') command="${command:+$command }$word" ;;
        esac
    done
    COMPREPLY=()
    case "$command $previous" in
    'operators add --output' | 'operators change --output' | 'operators list --output' | 'operators remove --output' | \
    'operators token add --output' | 'operators token list --output' | 'operators token remove --output' | \
    'events status --output' | 'move --output' | 'backup --output' | 'restore --output') mapfile -t COMPREPLY < <(compgen -W "text json" -- "$current"); return ;;
    'operators add --name' | 'operators add --domain' | 'operators change --name' | 'operators change --domain' | \
    'operators change --without' | 'operators token add --expires-in' | 'clients list --domain' | 'clients list --url' | \
    'clients list --name' | 'clients list --tag' | 'clients list --limit' | 'clients create --domain' | \
    'clients create --url' | 'clients create --external-id' | 'clients create --tag' | 'clients create --metadata' | \
    'clients create --identity' | 'clients get --domain' | 'clients get --url' | 'clients update --domain' | \
    'clients update --url' | 'clients update --name' | 'clients update --external-id' | 'clients update --tag' | \
    'clients update --metadata' | 'clients rotate --domain' | 'clients rotate --url' | 'clients rotate --grace' | \
    'clients enable --domain' | 'clients enable --url' | 'clients disable --domain' | 'clients disable --url' | \
    'clients delete --domain' | 'clients delete --url' | 'clients connect --domain' | 'clients connect --url' | \
    'clients disconnect --domain' | 'clients disconnect --url' | 'roles list --domain' | 'roles list --url' | \
    'roles create --domain' | 'roles create --url' | 'roles create --action' | 'roles create --member' | \
    'secrets --domain' | 'secrets --url' | 'import --domain' | 'import --sheet' | 'export --domain' | 'move --to' | \
    'move --from' | 'labels --out' | 'labels --template' | 'labels --start' | 'audit --domain' | 'audit --url' | \
    'audit --client' | 'audit --operation' | 'audit --since' | 'audit --limit' | 'backup --recipient' | 'backup --keep') return ;;
    'clients list --token-file' | 'clients create --token-file' | 'clients get --token-file' | \
    'clients update --token-file' | 'clients rotate --token-file' | 'clients enable --token-file' | \
    'clients disable --token-file' | 'clients delete --token-file' | 'clients connect --token-file' | \
    'clients disconnect --token-file' | 'roles list --token-file' | 'roles create --token-file' | 'secrets --token-file' \
    | 'import --secrets-out' | 'import --report' | 'export --out' | 'move --pepper' | 'labels --font' | \
    'audit --token-file' | 'backup --passphrase-file' | 'restore --passphrase-file' | 'restore --identity-file' | \
    'restore --pepper') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    'clients list --output' | 'clients create --output' | 'clients get --output' | 'clients update --output' | \
    'clients rotate --output' | 'clients enable --output' | 'clients disable --output' | 'clients delete --output' | \
    'clients connect --output' | 'clients disconnect --output' | 'roles list --output' | 'roles create --output' | \
    'secrets --output' | 'audit --output') mapfile -t COMPREPLY < <(compgen -W "table json jsonl csv" -- "$current"); return ;;
    'clients list --status') mapfile -t COMPREPLY < <(compgen -W "enabled disabled all" -- "$current"); return ;;
    'clients get --by' | 'clients update --by' | 'clients rotate --by' | 'clients enable --by' | 'clients disable --by' \
    | 'clients delete --by' | 'clients connect --by' | 'clients disconnect --by' | 'roles list --by' | \
    'roles create --by' | 'secrets --by' | 'import --key') mapfile -t COMPREPLY < <(compgen -W "id external_id name" -- "$current"); return ;;
    'clients connect --type' | 'clients disconnect --type') mapfile -t COMPREPLY < <(compgen -W "publish subscribe" -- "$current"); return ;;
    'export --format') mapfile -t COMPREPLY < <(compgen -W "csv jsonl" -- "$current"); return ;;
    'labels --sheet') mapfile -t COMPREPLY < <(compgen -W "avery-l7160 avery-l7163 avery-l7654 avery-l7651 avery-l6009 avery-l6011 avery-5160 avery-5163 herma-4457 a4-3x8 label-62x29 label-50x30" -- "$current"); return ;;
    esac
    local words=""
    case "$command" in
    '') words="serve config operators events clients roles secrets import export move labels audit backup restore doctor version health --version -h --help" ;;
    'serve' | 'config check' | 'version' | 'health') words="-h --help" ;;
    'config') words="check -h --help" ;;
    'operators') words="add change list remove token -h --help" ;;
    'operators add') words="--output --name --domain -h --help" ;;
    'operators change') words="--output --name --domain --without -h --help" ;;
    'operators list' | 'operators remove' | 'operators token list' | 'operators token remove' | 'events status') words="--output -h --help" ;;
    'operators token') words="add list remove -h --help" ;;
    'operators token add') words="--output --expires-in -h --help" ;;
    'events') words="status -h --help" ;;
    'clients') words="list create get update rotate enable disable delete connect disconnect -h --help" ;;
    'clients list') words="--domain --url --token-file --output --name --tag --status --limit -h --help" ;;
    'clients create') words="--domain --url --token-file --output --external-id --tag --metadata --identity -h --help" ;;
    'clients get' | 'clients enable' | 'clients disable' | 'clients delete' | 'roles list' | 'secrets') words="--domain --url --token-file --output --by -h --help" ;;
    'clients update') words="--domain --url --token-file --output --by --name --external-id --tag --metadata -h --help" ;;
    'clients rotate') words="--domain --url --token-file --output --by --grace -h --help" ;;
    'clients connect' | 'clients disconnect') words="--domain --url --token-file --output --by --type -h --help" ;;
    'roles') words="list create -h --help" ;;
    'roles create') words="--domain --url --token-file --output --by --action --member -h --help" ;;
    'import') words="--domain --key --all-new --dry-run --atomic --sheet --secrets-out --report -h --help" ;;
    'export') words="--domain --format --with-hashes --out -h --help" ;;
    'move') words="--to --from --pepper --output -h --help" ;;
    'labels') words="--out --sheet --template --start --font -h --help" ;;
    'audit') words="--domain --url --token-file --client --operation --since --limit --output -h --help" ;;
    'backup') words="--with-pepper --passphrase-file --recipient --keep --output -h --help" ;;
    'restore') words="--passphrase-file --identity-file --pepper --output -h --help" ;;
    'doctor') words="--json -h --help" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    case "$command" in
    'import' | 'labels' | 'backup' | 'restore')
        [[ ! $current || $current == -* ]] && return
        compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}

complete -F _edgeclients edgeclients
