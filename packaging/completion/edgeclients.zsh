#compdef edgeclients
# Written by .ci/generate_pages.py.

_edgeclients() {
    local command="" word previous=$words[CURRENT-1]
    local -a found
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$command $word" in
        ' serve' | ' config' | 'config check' | ' operators' | 'operators add' | 'operators change' | 'operators list' | \
        'operators remove' | 'operators token' | 'operators token add' | 'operators token list' | \
        'operators token remove' | ' events' | 'events status' | ' import' | ' export' | ' move' | ' version' | \
        ' health') command="${command:+$command }$word" ;;
        esac
    done
    case "$command $previous" in
    'operators add --output' | 'operators change --output' | 'operators list --output' | 'operators remove --output' | \
    'operators token add --output' | 'operators token list --output' | 'operators token remove --output' | \
    'events status --output' | 'move --output') compadd text json; return ;;
    'operators add --name' | 'operators change --name' | 'import --sheet') _message 'NAME'; return ;;
    'operators add --domain' | 'operators change --domain') _message 'DOMAIN=STANDING'; return ;;
    'operators change --without' | 'import --domain' | 'export --domain') _message 'DOMAIN'; return ;;
    'operators token add --expires-in') _message 'DURATION'; return ;;
    'import --key') compadd id external_id name; return ;;
    'import --secrets-out' | 'import --report' | 'export --out' | 'move --pepper') _files; return ;;
    'export --format') compadd csv jsonl; return ;;
    'move --to' | 'move --from') _message 'URL'; return ;;
    esac
    case "$command" in
    '') found=('serve:run the service' 'config:check the settings' 'operators:manage local operators and their tokens' 'events:show the state of the outbox' 'import:create and update clients from a CSV, XLSX or JSONL file' 'export:write the clients of a domain as CSV or JSON lines' 'move:copy everything from the data directory into PostgreSQL, or back' 'version:print the version' 'health:check the health of the service on this machine' '--version:show program'\''s version number and exit' '-h:show the help' '--help:show the help') ;;
    'serve' | 'config check' | 'version' | 'health') found=('-h:show the help' '--help:show the help') ;;
    'config') found=('check:print the effective settings, or every fault in them' '-h:show the help' '--help:show the help') ;;
    'operators') found=('add:add an operator' 'change:change an operator'\''s name or domains' 'list:list the operators' 'remove:remove an operator, with tokens and role memberships' 'token:manage an operator'\''s tokens' '-h:show the help' '--help:show the help') ;;
    'operators add') found=('--output:output format' '--name:display name' '--domain:give access to DOMAIN, as admin or member' '-h:show the help' '--help:show the help') ;;
    'operators change') found=('--output:output format' '--name:new display name' '--domain:give or change access to DOMAIN, as admin or member' '--without:revoke access to DOMAIN' '-h:show the help' '--help:show the help') ;;
    'operators list' | 'operators remove' | 'operators token list' | 'operators token remove' | 'events status') found=('--output:output format' '-h:show the help' '--help:show the help') ;;
    'operators token') found=('add:create a token and print it, only this once' 'list:list an operator'\''s tokens' 'remove:remove a token' '-h:show the help' '--help:show the help') ;;
    'operators token add') found=('--output:output format' '--expires-in:lifetime of the token, such as 720h' '-h:show the help' '--help:show the help') ;;
    'events') found=('status:show the number and age of unsent events, and the last event sent' '-h:show the help' '--help:show the help') ;;
    'import') found=('--domain:the domain of the clients' '--key:the column that says which client a line is about' '--all-new:create a client for each line' '--dry-run:judge every line, and change nothing' '--atomic:change nothing unless every line is good' '--sheet:the sheet of an XLSX file' '--secrets-out:a new file for the secrets that are made (CSV, 0600)' '--report:a file for the bad lines (JSON lines)' '-h:show the help' '--help:show the help') ;;
    'export') found=('--domain:the domain of the clients' '--format:the form' '--with-hashes:include the hashes of secrets' '--out:a new file (0600)' '-h:show the help' '--help:show the help') ;;
    'move') found=('--to:copy the data directory into this database' '--from:copy this database into the data directory' '--pepper:file to write a copy of the pepper to, for the service on the new storage' '--output:output format' '-h:show the help' '--help:show the help') ;;
    esac
    _describe -o 'edgeclients' found
}

_edgeclients "$@"
