SELECT order_id, saga_id, tracking_number, status,
    (SELECT COUNT(*) FROM tracking_events t WHERE t.shipment_id = s.shipment_id AND t.status = $2) AS shipped
FROM shipments s WHERE shipment_id = $1
