SELECT refund_id, payment_id, amount_minor, status FROM refunds WHERE refund_id = $1
