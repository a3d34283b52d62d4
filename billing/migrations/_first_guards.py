"""The books balance and stand; what was issued, agreed and paid stands: the database refuses all else."""

from django.db.migrations.operations import RunSQL

from tenants.guards import append_only, grows_only

REFUND_KEY = ("id", "account_id", "amount", "method", "payment_id", "reason", "requested_by", "requested_at")
DISPUTE_KEY = ("id", "invoice_id", "line_id", "issuer_id", "tenant_id", "pauses_dunning", "opened_by", "opened_at")
ACCOUNT = ("id", "provider_id", "number", "currency", "holder", "bic", "opened_at")
LINE = (
    "id", "account_id", "imported_id", "reference", "booked_on", "value_on", "amount", "currency", "payer",
    "payer_account", "structured", "end_to_end", "text", "is_return", "created_at",
)

INVOICE_LEFT = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_invoice_left(the_invoice uuid) RETURNS numeric LANGUAGE sql AS $$
        SELECT CASE WHEN invoice.state IN ('draft', 'void') THEN 0 ELSE invoice.total END
            - (SELECT coalesce(sum(amount), 0) FROM billing_payment WHERE invoice_id = the_invoice)
            + (
                SELECT coalesce(sum(reversal.amount), 0) FROM billing_paymentreversal reversal
                JOIN billing_payment payment ON payment.id = reversal.payment_id WHERE payment.invoice_id = the_invoice
            )
            - (SELECT coalesce(sum(applied), 0) FROM billing_creditnote WHERE invoice_id = the_invoice)
            - (SELECT coalesce(sum(amount), 0) FROM billing_writeoff WHERE invoice_id = the_invoice)
        FROM billing_invoice invoice WHERE invoice.id = the_invoice
    $$
        """,
    ],
)

IS_OWED_AGAIN = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_is_owed_again(the_invoice uuid, total numeric) RETURNS boolean LANGUAGE sql STABLE AS $$
        SELECT EXISTS (
            SELECT FROM billing_paymentreversal reversal JOIN billing_payment payment
            ON payment.id = reversal.payment_id WHERE payment.invoice_id = the_invoice
        ) AND forecourt_invoice_left(the_invoice) > 0
    $$
        """,
    ],
)

ACCEPTANCE_OF_OFFER = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_acceptance_of_offer() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT 1 FROM billing_amendment m WHERE m.id = NEW.amendment_id AND m.state = 'offered'
                    AND m.sha256 = NEW.sha256
            ) THEN
                RAISE EXCEPTION 'this hash is not on offer' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_acceptance_of_offer BEFORE INSERT ON billing_acceptance
            FOR EACH ROW EXECUTE FUNCTION forecourt_acceptance_of_offer()
        """,
    ],
)

AMENDMENT_AS_OFFERED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_amendment_as_offered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            moving text[] := ARRAY['state', 'decided_at', 'decided_by', 'version_id'];
            words integer;
        BEGIN
            IF TG_OP = 'DELETE' THEN
                RAISE EXCEPTION 'amendment %: DELETE refused', OLD.number USING ERRCODE = 'restrict_violation';
            END IF;
            IF OLD.state <> 'draft' AND (to_jsonb(NEW) - moving) <> (to_jsonb(OLD) - moving) THEN
                RAISE EXCEPTION 'amendment % is offered and cannot change', OLD.number
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.state <> OLD.state AND NOT (
                (OLD.state = 'draft' AND NEW.state IN ('offered', 'withdrawn'))
                OR (OLD.state = 'offered' AND NEW.state IN ('accepted', 'declined', 'withdrawn', 'expired'))
            ) THEN
                RAISE EXCEPTION 'amendment % cannot go from % to %', OLD.number, OLD.state, NEW.state
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.state = 'accepted' AND OLD.state <> 'accepted' THEN
                SELECT count(*) INTO words FROM billing_acceptance a JOIN billing_contract c ON c.id = NEW.contract_id
                    WHERE a.amendment_id = NEW.id AND a.organization_id IN (c.provider_id, c.tenant_id);
                IF words <> 2 THEN
                    RAISE EXCEPTION 'amendment % has the word of % of its two parties', NEW.number, words
                        USING ERRCODE = 'check_violation';
                END IF;
                IF NEW.sha256 <> (SELECT sha256 FROM billing_contractversion WHERE id = NEW.version_id) THEN
                    RAISE EXCEPTION 'amendment % became another version', NEW.number USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_amendment_as_offered BEFORE DELETE OR UPDATE ON billing_amendment
            FOR EACH ROW EXECUTE FUNCTION forecourt_amendment_as_offered()
        """,
    ],
)

BALANCE_NOT_BELOW_ZERO = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_balance_not_below_zero() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            stands numeric;
        BEGIN
            PERFORM FROM billing_balanceaccount WHERE id = NEW.account_id FOR NO KEY UPDATE;
            SELECT sum(amount) INTO stands FROM billing_balancemovement WHERE account_id = NEW.account_id;
            IF stands < 0 THEN
                RAISE EXCEPTION 'balance % would stand at %', NEW.account_id, stands
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER billing_balancemovement_not_below_zero AFTER INSERT ON billing_balancemovement
            FOR EACH ROW EXECUTE FUNCTION forecourt_balance_not_below_zero()
        """,
    ],
)

BANK_MATCH_COVERED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_bank_match_covered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            came numeric;
            matched numeric;
        BEGIN
            -- Two at once wait for each other at the movement's row.
            SELECT amount INTO came FROM billing_bankline WHERE id = NEW.line_id FOR UPDATE;
            SELECT coalesce(sum(amount), 0) INTO matched FROM billing_bankmatch WHERE line_id = NEW.line_id
                AND NOT EXISTS (SELECT FROM billing_bankunmatch WHERE match_id = billing_bankmatch.id);
            IF matched + NEW.amount > came THEN
                RAISE EXCEPTION 'movement % of % has % matched already', NEW.line_id, came, matched
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_bankmatch_covered BEFORE INSERT ON billing_bankmatch
            FOR EACH ROW EXECUTE FUNCTION forecourt_bank_match_covered()
        """,
    ],
)

CREDIT_NOTE_FITS = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_credit_note_fits() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        note billing_creditnote;
        billed billing_invoice;
        sums record;
        bad record;
    BEGIN
        IF TG_TABLE_NAME = 'billing_creditnote' THEN
            SELECT * INTO note FROM billing_creditnote WHERE id = NEW.id;
        ELSE
            SELECT * INTO note FROM billing_creditnote WHERE id = NEW.credit_note_id;
        END IF;
        SELECT * INTO billed FROM billing_invoice WHERE id = note.invoice_id FOR NO KEY UPDATE;
        IF billed.state IN ('draft', 'void') OR (note.issuer_id, note.tenant_id, note.currency)
            IS DISTINCT FROM (billed.issuer_id, billed.tenant_id, billed.currency) THEN
            RAISE EXCEPTION 'credit note % is not of an issued invoice of the same parties', note.number
                USING ERRCODE = 'check_violation';
        END IF;
        SELECT coalesce(sum(amount), 0) AS subtotal, coalesce(sum(tax), 0) AS tax INTO sums
            FROM billing_creditnoteline WHERE credit_note_id = note.id;
        IF sums.subtotal <> note.subtotal OR sums.tax <> note.tax THEN
            RAISE EXCEPTION 'credit note % does not add up: lines % and %, subtotal %, tax %',
                note.number, sums.subtotal, sums.tax, note.subtotal, note.tax
                USING ERRCODE = 'check_violation';
        END IF;
        SELECT line.position, line.amount, sum(credited.amount) AS credited INTO bad
            FROM billing_creditnoteline credited
            JOIN billing_creditnote other ON other.id = credited.credit_note_id
            JOIN billing_invoiceline line ON line.id = credited.line_id
            WHERE other.invoice_id = billed.id GROUP BY line.id
            HAVING line.invoice_id <> billed.id OR sum(credited.amount) * sign(line.amount) < 0
                OR abs(sum(credited.amount)) > abs(line.amount) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'line % of invoice % is %, credited %',
                bad.position, billed.number, bad.amount, bad.credited USING ERRCODE = 'check_violation';
        END IF;
        SELECT sum(total) AS total, sum(tax) AS tax INTO sums FROM billing_creditnote WHERE invoice_id = billed.id;
        IF sums.total > billed.total OR sums.tax > billed.tax OR (note.applied > 0 AND forecourt_invoice_left(billed.id) < 0) THEN
            RAISE EXCEPTION 'invoice % of % is credited with % in all: more than is left',
                billed.number, billed.total, sums.total USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_creditnote_fits AFTER INSERT ON billing_creditnote DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION forecourt_credit_note_fits()
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_creditnoteline_fits AFTER INSERT ON billing_creditnoteline DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION forecourt_credit_note_fits()
        """,
    ],
)

DISPUTE_FORWARD = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_dispute_forward() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.state <> 'open' THEN
                RAISE EXCEPTION 'dispute % is %', OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_dispute_forward BEFORE UPDATE ON billing_dispute
            FOR EACH ROW EXECUTE FUNCTION forecourt_dispute_forward()
        """,
    ],
)

ENTRY_AFTER_CHECKPOINT = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_entry_after_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT 1 FROM billing_ledgercheckpoint WHERE to_entry >= NEW.id) THEN
                RAISE EXCEPTION 'entry % lies behind a checkpoint of the ledger', NEW.id
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_ledgerentry_after_checkpoint BEFORE INSERT ON billing_ledgerentry
            FOR EACH ROW EXECUTE FUNCTION forecourt_entry_after_checkpoint()
        """,
    ],
)

ENTRY_CURRENCY = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_entry_currency() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.currency <> (SELECT currency FROM billing_ledgeraccount WHERE id = NEW.account_id) THEN
                RAISE EXCEPTION 'entry in % on an account in another currency', NEW.currency
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_ledgerentry_currency BEFORE INSERT ON billing_ledgerentry
            FOR EACH ROW EXECUTE FUNCTION forecourt_entry_currency()
        """,
    ],
)

INVOICE_FROZEN = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_invoice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        lines_total numeric;
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.state <> 'draft' THEN
                RAISE EXCEPTION 'invoice % is issued and cannot be deleted', OLD.number
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN OLD;
        END IF;
        IF OLD.state = 'draft' THEN
            IF NEW.state = 'issued' THEN
                SELECT coalesce(sum(amount), 0) INTO lines_total
                    FROM billing_invoiceline WHERE invoice_id = NEW.id;
                IF NEW.subtotal <> lines_total OR NEW.total <> NEW.subtotal + NEW.tax THEN
                    RAISE EXCEPTION 'invoice % does not add up: lines %, subtotal %, tax %, total %',
                        NEW.number, lines_total, NEW.subtotal, NEW.tax, NEW.total
                        USING ERRCODE = 'check_violation';
                END IF;
            ELSIF NEW.state <> 'draft' THEN
                RAISE EXCEPTION 'a draft can only be issued, not become %', NEW.state
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END IF;
        IF (to_jsonb(NEW) - ARRAY['state', 'paid_at', 'updated_at'])
            <> (to_jsonb(OLD) - ARRAY['state', 'paid_at', 'updated_at']) THEN
            RAISE EXCEPTION 'invoice % is issued and cannot change', OLD.number
                USING ERRCODE = 'restrict_violation';
        END IF;
        
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state = 'issued' AND NEW.state IN ('paid', 'uncollectible', 'void'))
        OR (OLD.state = 'uncollectible' AND NEW.state IN ('paid', 'void'))
        OR (OLD.state = 'paid' AND NEW.state = 'issued' AND forecourt_is_owed_again(OLD.id, OLD.total))
    ) THEN

            RAISE EXCEPTION 'invoice % cannot go from % to %', OLD.number, OLD.state, NEW.state
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
        """,
        """
        CREATE TRIGGER billing_invoice_frozen BEFORE DELETE OR UPDATE ON billing_invoice
            FOR EACH ROW EXECUTE FUNCTION forecourt_invoice_frozen()
        """,
    ],
)

INVOICE_REISSUES = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_invoice_reissues() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.reissues_id IS NOT NULL THEN
                PERFORM FROM billing_invoice WHERE id = NEW.reissues_id AND state = 'void'
                    AND period_id = NEW.period_id AND id <> NEW.id;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'invoice % stands for no void invoice of its period', NEW.id
                        USING ERRCODE = 'check_violation';
                END IF;
            ELSIF EXISTS (SELECT FROM billing_invoice WHERE period_id = NEW.period_id AND id <> NEW.id) THEN
                RAISE EXCEPTION 'the period of invoice % was billed before: it must name what it stands for', NEW.id
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoice_reissues BEFORE INSERT OR UPDATE OF reissues_id, period_id ON billing_invoice
            FOR EACH ROW EXECUTE FUNCTION forecourt_invoice_reissues()
        """,
    ],
)

INVOICE_STAMPED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_invoice_stamped() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_current_xact_id();
            NEW.changed_at := clock_timestamp();
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoice_stamped BEFORE INSERT OR UPDATE ON billing_invoice
            FOR EACH ROW EXECUTE FUNCTION forecourt_invoice_stamped()
        """,
    ],
)

INVOICE_TAXED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_invoice_taxed() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            by_rate numeric;
            by_line numeric;
            taxable numeric;
        BEGIN
            SELECT coalesce(sum(rate.tax), 0), coalesce(sum(rate.taxable), NEW.subtotal) INTO by_rate, taxable
                FROM billing_invoicetax rate WHERE rate.invoice_id = NEW.id;
            SELECT coalesce(sum(taxed.tax), 0) INTO by_line FROM billing_invoicelinetax taxed
                JOIN billing_invoiceline line ON line.id = taxed.line_id WHERE line.invoice_id = NEW.id;
            IF NEW.tax <> by_rate OR NEW.tax <> by_line OR NEW.subtotal <> taxable THEN
                RAISE EXCEPTION 'invoice % has tax %, by rate %, by line %, of % by rate and % in all',
                    NEW.number, NEW.tax, by_rate, by_line, taxable, NEW.subtotal
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoice_taxed BEFORE UPDATE ON billing_invoice
            FOR EACH ROW WHEN ((((old.state)::text = 'draft'::text) AND ((new.state)::text <> 'draft'::text))) EXECUTE FUNCTION forecourt_invoice_taxed()
        """,
    ],
)

LINE_FROZEN = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_line_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            the_invoice uuid;
            the_row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
        BEGIN
            IF TG_TABLE_NAME = 'billing_invoiceline' THEN
                the_invoice := (the_row ->> 'invoice_id')::uuid;
            ELSE
                SELECT invoice_id INTO the_invoice FROM billing_invoiceline
                    WHERE id = (the_row ->> 'line_id')::uuid;
            END IF;
            IF (SELECT state FROM billing_invoice WHERE id = the_invoice) <> 'draft' THEN
                RAISE EXCEPTION 'the invoice of this line is issued: % refused', TG_OP
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoiceline_frozen BEFORE INSERT OR DELETE OR UPDATE ON billing_invoiceline
            FOR EACH ROW EXECUTE FUNCTION forecourt_line_frozen()
        """,
        """
        CREATE TRIGGER billing_invoicesubline_frozen BEFORE INSERT OR DELETE OR UPDATE ON billing_invoicesubline
            FOR EACH ROW EXECUTE FUNCTION forecourt_line_frozen()
        """,
    ],
)

PAYOUT_FORWARD = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_payout_forward() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            may_change text[] := ARRAY['state', 'reference', 'settled_at', 'attempts', 'next_try_at', 'last_error',
                'updated_at'];
        BEGIN
            IF TG_OP = 'DELETE' THEN
                RAISE EXCEPTION 'payout % cannot be deleted', OLD.number USING ERRCODE = 'restrict_violation';
            END IF;
            IF (to_jsonb(NEW) - may_change) <> (to_jsonb(OLD) - may_change) THEN
                RAISE EXCEPTION 'payout % cannot change what it is', OLD.number
                    USING ERRCODE = 'restrict_violation';
            END IF;
            IF NEW.state <> OLD.state AND NOT (
                (OLD.state = 'in_transit' AND NEW.state IN ('paid', 'failed'))
                OR (OLD.state = 'paid' AND NEW.state = 'reversed')
            ) THEN
                RAISE EXCEPTION 'payout % cannot go from % to %', OLD.number, OLD.state, NEW.state
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_payout_forward BEFORE DELETE OR UPDATE ON billing_payout
            FOR EACH ROW EXECUTE FUNCTION forecourt_payout_forward()
        """,
    ],
)

POSTING_BALANCED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_posting_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            the_posting uuid;
            bad record;
        BEGIN
            IF TG_TABLE_NAME = 'billing_ledgerposting' THEN
                the_posting := NEW.id;
            ELSE
                the_posting := NEW.posting_id;
            END IF;
            IF (SELECT count(*) FROM billing_ledgerentry WHERE posting_id = the_posting) < 2 THEN
                RAISE EXCEPTION 'posting % has fewer than two entries', the_posting
                    USING ERRCODE = 'check_violation';
            END IF;
            SELECT currency, sum(amount) AS amount INTO bad FROM billing_ledgerentry
                WHERE posting_id = the_posting GROUP BY currency HAVING sum(amount) <> 0 LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'posting % is out of balance by % %', the_posting, bad.amount, bad.currency
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_ledgerentry_balanced AFTER INSERT ON billing_ledgerentry DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION forecourt_posting_balanced()
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_ledgerposting_balanced AFTER INSERT ON billing_ledgerposting DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION forecourt_posting_balanced()
        """,
    ],
)

PRICE_DRAFT_PUBLISHED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_price_draft_published() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.published_id IS NOT NULL THEN
                RAISE EXCEPTION 'the draft is published: % refused', TG_OP USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        END $$
        """,
        """
        CREATE TRIGGER billing_pricedraft_published BEFORE DELETE OR UPDATE ON billing_pricedraft
            FOR EACH ROW EXECUTE FUNCTION forecourt_price_draft_published()
        """,
    ],
)

PRICE_NOTICE_STANDS = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_price_notice_stands() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' OR OLD.seen_at IS NOT NULL
                OR (to_jsonb(NEW) - ARRAY['seen_at', 'seen_by']) <> (to_jsonb(OLD) - ARRAY['seen_at', 'seen_by']) THEN
                RAISE EXCEPTION 'a price notice stands: % refused', TG_OP USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_pricenotice_stands BEFORE DELETE OR UPDATE ON billing_pricenotice
            FOR EACH ROW EXECUTE FUNCTION forecourt_price_notice_stands()
        """,
    ],
)

PRICE_OF_NEW_VERSION = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_price_of_new_version() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            now_id bigint := pg_current_xact_id()::text::bigint;
            made_id bigint;
        BEGIN
            SELECT xmin::text::bigint INTO made_id FROM billing_priceversion WHERE id = NEW.version_id;
            made_id := (now_id >> 32 << 32) + made_id;
            IF made_id > now_id + 1000000 OR pg_xact_status(made_id::text::xid8) IS DISTINCT FROM 'in progress' THEN
                RAISE EXCEPTION 'the price version is published: a price more is refused'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_gpuprice_complete BEFORE INSERT ON billing_gpuprice
            FOR EACH ROW EXECUTE FUNCTION forecourt_price_of_new_version()
        """,
        """
        CREATE TRIGGER billing_tokenprice_complete BEFORE INSERT ON billing_tokenprice
            FOR EACH ROW EXECUTE FUNCTION forecourt_price_of_new_version()
        """,
        """
        CREATE TRIGGER billing_unitprice_complete BEFORE INSERT ON billing_unitprice
            FOR EACH ROW EXECUTE FUNCTION forecourt_price_of_new_version()
        """,
    ],
)

REFUND_COVERED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_refund_covered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            came numeric;
            given numeric;
        BEGIN
            IF NEW.payment_id IS NULL THEN
                RETURN NEW;
            END IF;
            SELECT amount INTO came FROM billing_payment WHERE id = NEW.payment_id FOR UPDATE;
            SELECT coalesce(sum(amount), 0) INTO given FROM billing_refund
                WHERE payment_id = NEW.payment_id AND state <> 'failed';
            IF given + NEW.amount > came THEN
                RAISE EXCEPTION 'payment % of % has % refunded already', NEW.payment_id, came, given
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_refund_covered BEFORE INSERT ON billing_refund
            FOR EACH ROW EXECUTE FUNCTION forecourt_refund_covered()
        """,
    ],
)

REFUND_FORWARD = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_refund_forward() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.state <> OLD.state AND NOT (
                (OLD.state = 'pending' AND NEW.state IN ('sent', 'done', 'failed'))
                OR (OLD.state = 'sent' AND NEW.state IN ('done', 'failed'))
                OR (OLD.state = 'done' AND NEW.state = 'failed')
            ) THEN
                RAISE EXCEPTION 'refund % cannot go from % to %', OLD.id, OLD.state, NEW.state
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_refund_forward BEFORE UPDATE ON billing_refund
            FOR EACH ROW EXECUTE FUNCTION forecourt_refund_forward()
        """,
    ],
)

REVERSAL_COVERED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_reversal_covered() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            came numeric;
            taken numeric;
        BEGIN
            -- Two at once wait for each other at the payment's row.
            SELECT amount INTO came FROM billing_payment WHERE id = NEW.payment_id FOR UPDATE;
            SELECT coalesce(sum(amount), 0) INTO taken FROM billing_paymentreversal WHERE payment_id = NEW.payment_id;
            IF taken + NEW.amount > came THEN
                RAISE EXCEPTION 'payment % of % has % taken back already', NEW.payment_id, came, taken
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_paymentreversal_covered BEFORE INSERT ON billing_paymentreversal
            FOR EACH ROW EXECUTE FUNCTION forecourt_reversal_covered()
        """,
    ],
)

REVERSAL_WITHIN = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_reversal_within() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            paid numeric;
            back numeric;
        BEGIN
            SELECT amount INTO paid FROM billing_payout WHERE id = NEW.payout_id FOR UPDATE;
            SELECT sum(amount) INTO back FROM billing_payoutreversal WHERE payout_id = NEW.payout_id;
            IF back > paid THEN
                RAISE EXCEPTION 'more came back of a payout (%) than it paid (%)', back, paid
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER billing_payoutreversal_within AFTER INSERT ON billing_payoutreversal
            FOR EACH ROW EXECUTE FUNCTION forecourt_reversal_within()
        """,
    ],
)

SUSPENSION_ANNOUNCED = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_suspension_announced() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM billing_dunningmail mail
                JOIN billing_dunningstep notice ON notice.id = mail.step_id AND notice.action = 'notice'
                JOIN billing_dunningstep step ON step.invoice_id = notice.invoice_id AND step.id = NEW.step_id
                WHERE mail.sent_at <= NEW.at - interval '3 days' AND NOT EXISTS (
                    SELECT FROM billing_dunningtakenback back WHERE back.step_id = notice.id
                )
            ) THEN
                RAISE EXCEPTION 'nobody is suspended without notice: no letter went out three days before'
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_suspension_announced BEFORE INSERT ON billing_suspension
            FOR EACH ROW EXECUTE FUNCTION forecourt_suspension_announced()
        """,
    ],
)

TAX_FROZEN = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_tax_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            the_invoice uuid;
            the_row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
        BEGIN
            IF TG_TABLE_NAME = 'billing_invoicetax' THEN
                the_invoice := (the_row ->> 'invoice_id')::uuid;
            ELSE
                SELECT invoice_id INTO the_invoice FROM billing_invoiceline WHERE id = (the_row ->> 'line_id')::uuid;
            END IF;
            IF (SELECT state FROM billing_invoice WHERE id = the_invoice) <> 'draft' THEN
                RAISE EXCEPTION 'the invoice of this tax is issued: % refused', TG_OP
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        END $$
        """,
        """
        CREATE TRIGGER billing_invoicelinetax_frozen BEFORE INSERT OR DELETE OR UPDATE ON billing_invoicelinetax
            FOR EACH ROW EXECUTE FUNCTION forecourt_tax_frozen()
        """,
        """
        CREATE TRIGGER billing_invoicetax_frozen BEFORE INSERT OR DELETE OR UPDATE ON billing_invoicetax
            FOR EACH ROW EXECUTE FUNCTION forecourt_tax_frozen()
        """,
    ],
)

TERM_SAME = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_term_same() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' OR (NEW.contract_id, NEW.kind, NEW.ref) <> (OLD.contract_id, OLD.kind, OLD.ref) THEN
                RAISE EXCEPTION 'term %: % refused', OLD.ref, TG_OP USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_term_same BEFORE DELETE OR UPDATE ON billing_term
            FOR EACH ROW EXECUTE FUNCTION forecourt_term_same()
        """,
    ],
)

WRITE_OFF_FITS = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_write_off_fits() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        written numeric;
    BEGIN
        PERFORM FROM billing_invoice WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
        SELECT sum(amount) INTO written FROM billing_writeoff WHERE invoice_id = NEW.invoice_id;
        IF written < 0 OR (written > 0 AND forecourt_invoice_left(NEW.invoice_id) < 0) THEN
            RAISE EXCEPTION 'invoice % is written off by %: more than is left', NEW.invoice_id, written
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$;


SET default_tablespace = '';

SET default_table_access_method = heap
        """,
        """
        CREATE CONSTRAINT TRIGGER billing_writeoff_fits AFTER INSERT ON billing_writeoff DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION forecourt_write_off_fits()
        """,
    ],
)

KEPT = RunSQL(
    [
        """
        CREATE TRIGGER billing_taxexemption_ends_once BEFORE UPDATE ON billing_taxexemption
            FOR EACH ROW WHEN (((old.to_on IS NOT NULL) OR ((to_jsonb(new.*) - 'to_on'::text) <> (to_jsonb(old.*) - 'to_on'::text)))) EXECUTE FUNCTION forecourt_refuse_change()
        """,
        """
        CREATE TRIGGER billing_taxexemption_no_delete BEFORE DELETE ON billing_taxexemption
            FOR EACH ROW EXECUTE FUNCTION forecourt_refuse_change()
        """,
        """
        CREATE TRIGGER billing_taxexemption_no_truncate BEFORE TRUNCATE ON billing_taxexemption
            FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()
        """,
        """
        CREATE TRIGGER billing_taxquestion_answered_once BEFORE UPDATE ON billing_taxquestion
            FOR EACH ROW WHEN (((old.answer IS NOT NULL) OR (new.asked <> old.asked) OR ((new.sha256)::text <> (old.sha256)::text) OR (new.period_id <> old.period_id))) EXECUTE FUNCTION forecourt_refuse_change()
        """,
        """
        CREATE TRIGGER billing_taxquestion_no_delete BEFORE DELETE ON billing_taxquestion
            FOR EACH ROW EXECUTE FUNCTION forecourt_refuse_change()
        """,
        """
        CREATE TRIGGER billing_taxquestion_no_truncate BEFORE TRUNCATE ON billing_taxquestion
            FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()
        """,
    ],
)

GUARDS = [
    append_only("billing_acceptance"),
    append_only("billing_adjustment"),
    append_only("billing_balanceaccount"),
    append_only("billing_balancemovement"),
    append_only("billing_bankimport"),
    append_only("billing_bankmatch"),
    append_only("billing_bankunmatch"),
    append_only("billing_cardcost"),
    append_only("billing_charge"),
    append_only("billing_checkpointbalance"),
    append_only("billing_clustercost"),
    append_only("billing_contractversion"),
    append_only("billing_coupon"),
    append_only("billing_couponend"),
    append_only("billing_couponredemption"),
    append_only("billing_creditmovement"),
    append_only("billing_creditnote"),
    append_only("billing_creditnoteline"),
    append_only("billing_disputemessage"),
    append_only("billing_documentfile"),
    append_only("billing_dunninghold"),
    append_only("billing_dunningpolicy"),
    append_only("billing_dunningstep"),
    append_only("billing_dunningtakenback"),
    append_only("billing_gpuprice"),
    append_only("billing_indeximport"),
    append_only("billing_indexprice"),
    append_only("billing_invoiceevidence"),
    append_only("billing_invoiceparties"),
    append_only("billing_leaseevent"),
    append_only("billing_ledgercheckpoint"),
    append_only("billing_ledgerentry"),
    append_only("billing_ledgerposting"),
    append_only("billing_payment"),
    append_only("billing_paymentreversal"),
    append_only("billing_paymentsource"),
    append_only("billing_payoutreversal"),
    append_only("billing_periodcarry"),
    append_only("billing_priceversion"),
    append_only("billing_providerstatement"),
    append_only("billing_revenuestatement"),
    append_only("billing_session"),
    append_only("billing_sessionallocation"),
    append_only("billing_sessionevent"),
    append_only("billing_statemententry"),
    append_only("billing_stripemovement"),
    append_only("billing_suspension"),
    append_only("billing_suspensionend"),
    append_only("billing_taxrate"),
    append_only("billing_taxsettings"),
    append_only("billing_termfact"),
    append_only("billing_termwording"),
    append_only("billing_tokenprice"),
    append_only("billing_unitprice"),
    append_only("billing_volumesize"),
    append_only("billing_witnessanswer"),
    append_only("billing_writeoff"),
    grows_only("billing_documentstep", ("subject_id", "subject", "issuer_id", "recipient_id")),
    grows_only("billing_refund", REFUND_KEY),
    grows_only("billing_dispute", DISPUTE_KEY),
    grows_only("billing_bankaccount", ACCOUNT),
    grows_only("billing_bankline", LINE),
    INVOICE_LEFT,
    IS_OWED_AGAIN,
    ACCEPTANCE_OF_OFFER,
    AMENDMENT_AS_OFFERED,
    BALANCE_NOT_BELOW_ZERO,
    BANK_MATCH_COVERED,
    CREDIT_NOTE_FITS,
    DISPUTE_FORWARD,
    ENTRY_AFTER_CHECKPOINT,
    ENTRY_CURRENCY,
    INVOICE_FROZEN,
    INVOICE_REISSUES,
    INVOICE_STAMPED,
    INVOICE_TAXED,
    LINE_FROZEN,
    PAYOUT_FORWARD,
    POSTING_BALANCED,
    PRICE_DRAFT_PUBLISHED,
    PRICE_NOTICE_STANDS,
    PRICE_OF_NEW_VERSION,
    REFUND_COVERED,
    REFUND_FORWARD,
    REVERSAL_COVERED,
    REVERSAL_WITHIN,
    SUSPENSION_ANNOUNCED,
    TAX_FROZEN,
    TERM_SAME,
    WRITE_OFF_FITS,
    KEPT,
]
