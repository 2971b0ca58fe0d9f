-- The serial number of a device, or whatever else its owner knows it by: unique in its domain; '' for none.
ALTER TABLE clients ADD COLUMN external_id text COLLATE "C" NOT NULL DEFAULT '';
CREATE UNIQUE INDEX clients_external_id ON clients (domain_id, external_id) WHERE external_id <> '';
